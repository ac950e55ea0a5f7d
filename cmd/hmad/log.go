package main

import (
	"fmt"
	"io"
	"os"

	"github.com/coreos/go-systemd/v22/journal"
	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// newLog makes the daemon's log: one line per message on w, times in UTC as
// RFC 3339. In the journal, which has times of its own, lines carry their
// priority instead.
func newLog(w io.Writer, level, format string) (*zap.Logger, error) {
	at, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, err
	}
	return zap.New(zapcore.NewCore(newEncoder(format, isJournal(w)), zapcore.Lock(zapcore.AddSync(w)), at)), nil
}

func newEncoder(format string, journal bool) zapcore.Encoder {
	conf := zap.NewProductionEncoderConfig()
	conf.TimeKey = "time"
	conf.EncodeTime = zapcore.TimeEncoder(zapcore.RFC3339TimeEncoder)
	if journal {
		conf.TimeKey = zapcore.OmitKey
	}
	encoder := zapcore.NewJSONEncoder(conf)
	if format == "console" {
		conf.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(conf)
	}
	if journal {
		return prioritised{encoder}
	}
	return encoder
}

// isJournal reports whether w is the journal's end of standard error.
func isJournal(w io.Writer) bool {
	is, err := journal.StderrIsJournalStream()
	return err == nil && is && w == io.Writer(os.Stderr)
}

// prioritised begins lines with their priority, <3> for an error, which the
// journal takes off again (sd-daemon(3)).
type prioritised struct{ zapcore.Encoder }

func (p prioritised) Clone() zapcore.Encoder { return prioritised{p.Encoder.Clone()} }

func (p prioritised) EncodeEntry(e zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := p.Encoder.EncodeEntry(e, fields)
	if err != nil {
		return nil, err
	}
	text := line.String()
	line.Reset()
	fmt.Fprintf(line, "<%d>%s", priority(e.Level), text)
	return line, nil
}

func priority(l zapcore.Level) journal.Priority {
	switch {
	case l >= zapcore.DPanicLevel:
		return journal.PriCrit
	case l == zapcore.ErrorLevel:
		return journal.PriErr
	case l == zapcore.WarnLevel:
		return journal.PriWarning
	case l == zapcore.InfoLevel:
		return journal.PriInfo
	default:
		return journal.PriDebug
	}
}
