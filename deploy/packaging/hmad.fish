# Completion of hmad for fish: hmad itself knows its commands, flags, checks,
# reasons and faults. Files are offered, too.
complete -c hmad -a '(hmad --completion-bash (commandline -opc)[2..] (commandline -ct))'
