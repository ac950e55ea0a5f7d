package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/lab"
)

// Exit codes; those of check are the monitoring plugins'.
const (
	exitOK        = 0
	exitError     = 1 // run, demo, lab: did not start, or died; an unknown command
	exitWarned    = 1 // check
	exitFailed    = 2
	exitUndecided = 3 // check, doctor: could not tell; all but run, demo, lab: unusable arguments or config
)

// cli is the parsed command line and where its command writes.
type cli struct {
	stdout, stderr io.Writer

	configFile, storagePath, logLevel, logFormat string
	healthAddress                                string
	maxConnections                               int
	web                                          *web.FlagConfig

	checks         []string
	target, output string
	verbose        bool
	breaks         []string
	labAddress     string
	labPush        string
	labTargets     []string
	labEvery       time.Duration
	labs           []*lab.Lab // the labs that run in this process
	mailboxes      int        // of each lab
	file, reason   string
	mailbox        string
	asking         asking
	scale          float64
	externalURL    string // where people reach the page
	runbookURL     string
	dashboardURL   string
	rulesFormat    string
	rulesJob       string
}

// command is one of hmad's commands: what it does and the exit code of a
// command line that it cannot use.
type command struct {
	do    func(*cli, context.Context) int
	usage int
}

// run is the whole program but for signals and os.Exit.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	c := &cli{stdout: stdout, stderr: stderr}
	app, commands := c.app()
	defer func() {
		// kingpin ends --help through Terminate, which must not return.
		if ended, ok := recover().(terminated); ok {
			code = int(ended)
		}
	}()
	name, err := app.Parse(args)
	if err != nil {
		c.complain(fmt.Errorf("%w; see hmad --help", err))
		return usageCode(args, commands)
	}
	return commands[name].do(c, ctx)
}

// terminated carries the exit code out of kingpin.
type terminated int

// usageCode returns the exit code for a command line that did not parse: that of
// the first command in it.
func usageCode(args []string, commands map[string]command) int {
	for _, arg := range args {
		for name, cmd := range commands {
			if strings.Fields(name)[0] == arg {
				return cmd.usage
			}
		}
	}
	return exitError
}

// complain writes an error to stderr, "hmad:" before each of its lines.
func (c *cli) complain(err error) {
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintln(c.stderr, "hmad: "+line)
	}
}

// fail complains and gives the exit code.
func (c *cli) fail(code int, err error) int {
	if !errors.Is(err, context.Canceled) {
		c.complain(err)
	}
	return code
}

// help opens the first screen of a new user; kingpin keeps indented lines as
// they are.
const help = `Watches hybrid Modern Authentication for Outlook mobile: AutoDiscover, ActiveSync's bearer challenge and what hangs on them.

	Try it:        hmad demo
	First config:  hmad config example > hmad.yaml
	One look:      hmad check --config.file=hmad.yaml
	For good:      hmad run --config.file=/etc/hmad/hmad.yaml
`

// app declares the command line.
func (c *cli) app() (*kingpin.Application, map[string]command) {
	app := kingpin.New("hmad", help)
	app.HelpFlag.Short('h')
	app.Version(versionLine())
	app.UsageWriter(c.stdout).ErrorWriter(c.stderr).Terminate(func(code int) { panic(terminated(code)) })

	c.runCommands(app)
	c.labCommands(app)
	c.configCommands(app)
	c.askingCommands(app)
	c.rulesCommand(app)
	app.Command("version", "Print the version.")
	return app, map[string]command{
		"run":            {(*cli).runDaemon, exitError},
		"check":          {(*cli).runOnce, exitUndecided},
		"demo":           {(*cli).runDemo, exitError},
		"lab":            {(*cli).runLab, exitError},
		"config check":   {(*cli).configCheck, exitUndecided},
		"config show":    {(*cli).configShow, exitUndecided},
		"config example": {(*cli).configExample, exitUndecided},
		"config schema":  {(*cli).configSchema, exitUndecided},
		"mailbox":        {(*cli).runMailbox, exitUndecided},
		"doctor":         {(*cli).runDoctor, exitUndecided},
		"explain":        {(*cli).explain, exitUndecided},
		"rules":          {(*cli).rules, exitUndecided},
		"version":        {(*cli).version, exitError},
	}
}

// runCommands adds those that run checks: the daemon, a single look, the doctor.
func (c *cli) runCommands(app *kingpin.Application) {
	daemon := app.Command("run", "Run the daemon: checks by schedule, metrics and status page.")
	c.configFlag(daemon)
	c.daemonFlags(daemon, ":9749")
	c.storageFlag(daemon, "Folder for the state that survives restarts; empty: state is not kept.")

	once := app.Command("check", "Run checks once and print what they found. Exit codes: 2 failed, 3 undecided, 1 warned, 0 passed.")
	c.configFlag(once)
	once.Arg("CHECK", "Checks to run; none: all. "+strings.Join(catalog.Names(), ", ")).HintOptions(catalog.Names()...).StringsVar(&c.checks)
	c.storageFlag(once, "Folder where the daemon keeps the reports that are pushed to it.")
	once.Flag("target", "Run the checks of this target only.").HintAction(targetsOf(defaultConfig)).StringVar(&c.target)
	once.Flag("verbose", "Print every note: headers, certificate, addresses.").Short('v').BoolVar(&c.verbose)
	c.outputFlag(once)

	doctor := app.Command("doctor", "Try every network path and permission that the config needs; exit codes as for check.")
	c.configFlag(doctor)
	c.storageFlag(doctor, "Folder where the daemon keeps the reports that are pushed to it.")
	c.webFlags(doctor, ":9749")
	c.outputFlag(doctor)
}

// labCommands adds those with a lab.
func (c *cli) labCommands(app *kingpin.Application) {
	demo := app.Command("demo", "Run the daemon against a lab on loopback. The lab has its own CA and faults that you can switch on.")
	c.daemonFlags(demo, "127.0.0.1:9749")
	c.labFlag(demo)
	demo.Flag("break", "Switch this fault on at the start; repeatable.").PlaceHolder("FAULT").HintOptions(lab.FaultNames()...).StringsVar(&c.breaks)

	alone := app.Command("lab", "Run the lab alone and print a config for it.")
	c.labFlag(alone)
}

// configCommands adds those about the config file.
func (c *cli) configCommands(app *kingpin.Application) {
	conf := app.Command("config", "Help with the config file.")
	confCheck := conf.Command("check", "Check the file: every error with its line, or the next five runs of every schedule.")
	confShow := conf.Command("show", "Print the config in force, defaults included.")
	conf.Command("example", "Print a commented example.")
	conf.Command("schema", "Print the JSON schema of the config, for editors.")
	for _, cmd := range []*kingpin.CmdClause{confCheck, confShow} {
		c.configFlag(cmd)
		cmd.Arg("FILE", "The config; instead of --config.file.").StringVar(&c.file)
	}
}

// askingCommands adds those that ask the running daemon.
func (c *cli) askingCommands(app *kingpin.Application) {
	mailbox := app.Command("mailbox", "Ask the running daemon when a mailbox last synchronised.")
	mailbox.Arg("MAILBOX", "Its address, or the hash that labels show.").Required().StringVar(&c.mailbox)
	c.askingFlags(mailbox)
	c.outputFlag(mailbox)

	explain := app.Command("explain", "Explain a reason, an alert or a class of error: what it means for phones and how to fix it.")
	explain.Arg("REASON", "check.reason, a reason, a check, an alert or a class of error; none: an index of all. The running daemon is asked for the "+
		"timeline of the certificates.").HintAction(explained).StringVar(&c.reason)
	c.askingFlags(explain)
	c.outputFlag(explain)
}

// rulesCommand adds the one that prints what Prometheus and Alertmanager take.
func (c *cli) rulesCommand(app *kingpin.Application) {
	rules := app.Command("rules", "Print the Prometheus alert rules, or the inhibitions of Alertmanager that belong to them.")
	rules.Flag("format", "What to print: prometheus, the rules; operator, a PrometheusRule of the Prometheus Operator; or alertmanager, the "+
		"inhibit_rules.").Default("prometheus").EnumVar(&c.rulesFormat, "prometheus", "operator", "alertmanager")
	rules.Flag("job", "Prometheus' name of the job that scrapes hmad.").Default("hmad").StringVar(&c.rulesJob)
	rules.Flag("scale", "Multiply all durations, for a trial: with 0.05 five minutes become 15 seconds.").Default("1").Float64Var(&c.scale)
	rules.Flag("runbook-url", "Page of runbooks that alerts link to, such as the daemon's own, https://hmad.contoso.com/runbook; its anchors "+
		"are check.reason and names of alerts. None: the documents of this version.").PlaceHolder("URL").StringVar(&c.runbookURL)
	rules.Flag("dashboard-url", "URL of Grafana, such as https://grafana.contoso.com; alerts link to its "+
		"dashboards.").PlaceHolder("URL").StringVar(&c.dashboardURL)
}

// targetsOf returns the completion of a target's name: those of the config.
func targetsOf(path string) kingpin.HintAction {
	return func() (names []string) {
		file, _ := config.Load(path)
		if file != nil {
			for _, t := range file.Targets {
				names = append(names, t.Name)
			}
		}
		return names
	}
}

func (c *cli) outputFlag(cmd *kingpin.CmdClause) {
	cmd.Flag("output", "text or json.").Default("text").EnumVar(&c.output, "text", "json")
}

// defaultConfig is --config.file where it is not given.
const defaultConfig = "hmad.yaml"

func (c *cli) configFlag(cmd *kingpin.CmdClause) {
	cmd.Flag("config.file", "The config file.").Default(defaultConfig).StringVar(&c.configFile)
}

// defaultStorage is --storage.path where it is not given.
const defaultStorage = "data"

func (c *cli) storageFlag(cmd *kingpin.CmdClause, help string) {
	cmd.Flag("storage.path", help).Default(defaultStorage).StringVar(&c.storagePath)
}

// askingFlags adds the flags of a command that asks the running daemon.
func (c *cli) askingFlags(cmd *kingpin.CmdClause) {
	cmd.Flag("web.url", "URL of the daemon.").Default("http://127.0.0.1:9749").StringVar(&c.asking.url)
	cmd.Flag("web.ca-file", "CA of the daemon's certificate, PEM.").StringVar(&c.asking.caFile)
	cmd.Flag("web.username", "User name for the daemon.").StringVar(&c.asking.username)
	cmd.Flag("web.password-file", "File with the password for the daemon.").StringVar(&c.asking.passwordFile)
}

func (c *cli) labFlag(cmd *kingpin.CmdClause) {
	cmd.Flag("lab.listen-address", "Loopback address of the lab's control port; a second lab uses the next "+
		"port.").Default("127.0.0.1:9750").StringVar(&c.labAddress)
	cmd.Flag("lab.mailboxes", "Number of mailboxes in the lab's Exchange Online; 0: the lab has none.").Default("150").IntVar(&c.mailboxes)
	cmd.Flag("lab.every", "How often hmad checks the lab and asks about each of its mailboxes.").Default(lab.DefaultEvery.String()).DurationVar(&c.labEvery)
	cmd.Flag("lab.push-address", "Loopback address on which hmad receives reports; the lab's servers push them there instead of writing "+
		"files.").StringVar(&c.labPush)
	cmd.Flag("target", "Name of the lab's target; repeatable, each target has its own lab.").Default(lab.DefaultTarget).StringsVar(&c.labTargets)
}

// daemonFlags adds the flags of a command that serves.
func (c *cli) daemonFlags(cmd *kingpin.CmdClause, address string) {
	c.webFlags(cmd, address)
	cmd.Flag("web.external-url", "URL under which people reach the page, such as https://hmad.contoso.com; alerts link to "+
		"it.").PlaceHolder("URL").StringVar(&c.externalURL)
	cmd.Flag("web.max-connections", "Most connections at once, of each listener.").Default("512").IntVar(&c.maxConnections)
	cmd.Flag("log.level", "debug, info, warn or error.").Default("info").EnumVar(&c.logLevel, "debug", "info", "warn", "error")
	cmd.Flag("log.format", "console or json.").Default("console").EnumVar(&c.logFormat, "console", "json")
}

// webFlags adds the flags that say where hmad serves, named as Prometheus'
// exporters name them.
func (c *cli) webFlags(cmd *kingpin.CmdClause, address string) {
	flags := kingpinflag.AddFlags(cmd, address)
	cmd.PreAction(func(*kingpin.ParseContext) error { c.web = flags; return nil })
	cmd.Flag("web.health-listen-address", "Address for /-/healthy and /-/ready alone, without authentication.").StringVar(&c.healthAddress)
}
