package lab

import (
	"net/http"
	"time"

	"github.com/hmad/hmad/internal/lab/online"
)

// onlineFaults are those of the sync times: in Exchange Online, of its phones,
// and of the requests with which it comes to Exchange on premises. Those named
// VARIANT.exchange_online are hmad's own side: they lead to no finding. every is
// how often hmad looks.
func onlineFaults(every time.Duration) []fault {
	change := func(name, doc string, f func(*online.Behaviour)) fault {
		return fault{onlineHost, name, doc, func(b *behaviour) { f(&b.online) }}
	}
	return []fault{
		change("mailbox_sync.sync_stale", "Two fifths of the phones have been silent for 30 hours.",
			func(b *online.Behaviour) { b.Stale = true }),
		change("mailbox_sync.sync_failing", "Two fifths of the phones have tried for three hours without success.",
			func(b *online.Behaviour) { b.Failing = true }),
		change("mailbox_sync.sync_stopped", "No phone has synchronised for 40 minutes.",
			func(b *online.Behaviour) { b.Stopped = true }),
		change("mailbox_sync.sync_unknown", "Exchange Online does not say when two fifths of the phones last succeeded.",
			func(b *online.Behaviour) { b.Unknown = true }),
		change("mailbox_sync.watched_mailbox_stale", "The probe mailbox's phone has been silent for 30 hours.", probe(online.Silent)),
		change("mailbox_sync.watched_mailbox_stale_critical", "The board's phone has been silent for 30 hours.",
			func(b *online.Behaviour) { b.Named = []online.Fate{online.Alive, online.Silent} }),
		change("mailbox_sync.watched_mailbox_not_provisioned", "Nobody has signed in to Outlook for iOS or Android with the probe mailbox.",
			probe(online.NotProvisioned)),
		change("mailbox_sync.watched_mailbox_in_cloud", "The probe mailbox was moved to Exchange Online.", probe(online.InCloud)),
		change("mailbox_sync.sweep_behind", "Exchange Online takes 20 seconds for an answer about a mailbox that is not watched.",
			func(b *online.Behaviour) { b.SlowFleet = 20 * time.Second }),
		change("onprem_sync.cloud_sync_refused", "Exchange on premises answers nine in ten of OutlookService's requests with 401, as with stale certificates.",
			func(b *online.Behaviour) { b.PremisesRefuse = true }),
		change("onprem_sync.cloud_sync_stopped", "OutlookService has sent no request for 40 minutes, as when it does not reach Exchange any more.",
			func(b *online.Behaviour) { b.PremisesSilent = true }),
		change("onprem_sync.onprem_leg_stale", "OutlookService has not synchronised the probe mailbox with Exchange on premises for 30 hours.",
			func(b *online.Behaviour) { b.PremisesStale = true }),

		change("role_missing.exchange_online", "hmad's application has no role with Get-MobileDeviceStatistics: 403 with a run of NUL bytes "+
			"(undecided, class permission).",
			func(b *online.Behaviour) { b.MissingRole = "Get-MobileDeviceStatistics" }),
		change("statistics_role_missing.exchange_online", "hmad's application has no role with Get-MailboxStatistics: nothing is found, a note "+
			"says so, and the gauges of that cmdlet are absent.",
			func(b *online.Behaviour) { b.MissingRole = "Get-MailboxStatistics" }),
		change("consent_missing.exchange_online", "hmad's application lacks Exchange.ManageAsApp: every token is refused (undecided, class token).",
			func(b *online.Behaviour) { b.NoConsent = true }),
		change("token_revoked.exchange_online", "Tokens are revoked and new ones must satisfy a claim (continuous access evaluation): nothing is found.",
			func(b *online.Behaviour) { b.Revoked = true }),
		refusing("throttled", "The tenant throttles with 429 and Retry-After (undecided, class throttled).", every,
			online.Refusal{Status: http.StatusTooManyRequests, RetryAfter: every}),
		refusing("throttled_silently", "The tenant throttles with 429 and does not say for how long (undecided, class throttled).", every,
			online.Refusal{Status: http.StatusTooManyRequests}),
		refusing("concurrency", "The tenant's limit on calls at once, told in words with status 500 (undecided, class throttled).", every,
			online.Refusal{Status: http.StatusInternalServerError, Text: online.ConcurrencyText}),
		change("broken_off.exchange_online", "Every third request to Exchange Online is broken off: nothing is found.",
			func(b *online.Behaviour) { b.Reset = 3 }),
		change("busy.exchange_online", "Every third mailbox cannot be opened for the moment: nothing is found.", func(b *online.Behaviour) { b.Busy = true }),
		change("slow.exchange_online", "Exchange Online takes a second for an answer: nothing is found.", func(b *online.Behaviour) { b.Slow = time.Second }),
		change("zoneless_dates.mailbox_sync", "Dates come without a zone: not known when anybody synchronised (sync_unknown).",
			func(b *online.Behaviour) { b.ZoneLess = true }),
		change("future_dates.mailbox_sync", "The last success lies a day ahead (sync_unknown).", func(b *online.Behaviour) { b.Future = true }),
		change("other_mailbox.exchange_online", "The rows are those of another mailbox (undecided, class other).",
			func(b *online.Behaviour) { b.OtherRows = true }),
		change("invalid_text.exchange_online", "Names of devices are not UTF-8: nothing is found.", func(b *online.Behaviour) { b.BadText = true }),
		change("million_rows.exchange_online", "An answer has a million rows (undecided, class other).", func(b *online.Behaviour) { b.ManyRows = true }),
		change("deep_json.exchange_online", "An answer nests 100,000 deep (undecided, class other).", func(b *online.Behaviour) { b.Deep = true }),
		change("expired_page.exchange_online", "The second page of an answer cannot be had: nothing is found.",
			func(b *online.Behaviour) { b.ExpiredPage = true }),
		change("other_host.exchange_online", "The next page of an answer lies at another host (undecided, class other).",
			func(b *online.Behaviour) { b.OtherHost = true }),
	}
}

// probe sets the fate of the probe mailbox.
func probe(f online.Fate) func(*online.Behaviour) {
	return func(b *online.Behaviour) { b.Named = []online.Fate{f} }
}

// refusing returns a storm in which two calls pass between one look of hmad's and
// the next.
func refusing(variant, doc string, every time.Duration, r online.Refusal) fault {
	r.Every = every / 2
	return fault{onlineHost, variant + ".exchange_online", doc, func(b *behaviour) { b.online.Refuse = &r }}
}
