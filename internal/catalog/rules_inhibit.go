package catalog

// Inhibitions are the inhibit_rules of an Alertmanager config, as
// deploy/alertmanager/alertmanager.example.yml has them. With several sources
// under one set of equal labels Alertmanager remembers one of them: hence one
// HmadImplied for each effect.
const Inhibitions = `inhibit_rules:
  # What another finding of the same target explains, as every hmad there that sees
  # it says.
  - source_matchers: ['alertname="HmadImplied"']
    target_matchers: ['alertname=~"Hmad.+"', 'alertname!="HmadImplied"']
    equal: [target, vantage, check, reason]
  # A hmad that is down sees nothing mended: what it alone told last is not told to
  # have ended, nor told again.
  - source_matchers: ['alertname="HmadDown"', 'instance!=""']
    target_matchers: ['alertname=~"Hmad.+"']
    equal: [instance]
`
