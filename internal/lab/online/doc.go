// Package online is Exchange Online for the lab: the admin REST API of one
// tenant, as far as hmad asks it, over a fleet of any size.
//
// A Tenant is an http.Handler. When its phones synchronised is a function of a
// seed and the time (package phones), so runs repeat exactly and nothing is
// kept per mailbox. It answers as the API does, with its habits: side keys,
// two spellings of a zone, 403 with a run of NUL bytes, limits that come with
// any status. Behaviour says what is wrong at present.
package online
