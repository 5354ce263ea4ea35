"""The language of faults: what a test can make go wrong, in words.

A fault is one word, or several with commas between them: `hide-2s,reset-after-commit`. "Commit" means that the request
was carried out and its effect stands. Sizes are bytes, or `K` (1024) and `M`; durations are `ms` or `s`.

| word | what happens | the request is carried out |
|---|---|---|
| `errcode:-1` | this code is answered | no |
| `errcode-after-commit:-1` | this code is answered | yes |
| `status:503` | this HTTP status, with a gateway's page | no |
| `status-after-commit:502` | the same | yes |
| `retry-after:30` | a Retry-After header; a 503 where no other word says what is answered | no, if alone |
| `reset-before-commit` | RST when the whole request was read | no |
| `reset-after-commit` | RST instead of the answer | yes |
| `close-before-commit` | FIN when the whole request was read | no |
| `close-before-reply` | FIN instead of the answer | yes |
| `reset-after-64K` | RST when so much of the request body was read (or all, if there is less) | no |
| `close-after-64K` | FIN then; the rest stays unread | no |
| `return-503-after-64K` | this status then, and FIN; the rest stays unread | no |
| `stall-30s` | the answer comes so much later | yes, before the stall |
| `stall-30s-before-commit` | the same | yes, after the stall, even if the client has left |
| `stall-30s-after-8K` | the rest of the answer's body comes so much later | yes |
| `delay-200ms` | as `stall`, for what is meant to succeed | yes |
| `trickle-1B-every-100ms` | the body of the answer, so slowly | yes |
| `slow-head-100ms` | a byte of the answer's head in each such time | yes |
| `cut-reply-after-100` | all is announced, so much of the body is sent (always less than all), FIN | yes |
| `reset-reply-after-100` | the same with RST | yes |
| `chunked-cut-after-100` | the same in chunks, without the last one | yes |
| `wrong-length:10` | a Content-Length so much too large and FIN, or too small if negative | yes |
| `revoke-token` | every token so far is refused with 40001, this request's too | if it needs no token |
| `expire-token` | the same with 42001 | if it needs no token |
| `malformed-token` | this request is refused with 40014 | no |
| `redirect:307` | a redirect to `/redirected` of the simulator, whose visit the journal shows | no |
| `redirect:302:http://...` | a redirect to that address | no |
| `html`, `html-after-commit` | HTTP 200 with a gateway's page | no; yes |
| `empty-after-commit` | HTTP 200 without a body | yes |
| `garbage-after-commit` | the first half of a JSON document | yes |
| `not-http` | the greeting of another protocol | yes |
| `control-characters` | texts of the JSON answer hold raw control characters | yes |
| `invalid-utf8` | texts of the JSON answer hold bytes that are not UTF-8 | yes |
| `deep-json:100000` | JSON with so many arrays in each other | yes |
| `long-errcode:5000` | an errcode of so many digits | yes |
| `gzip-bomb:100M` | JSON that unpacks to so many bytes | yes |
| `huge-reply:64M` | JSON with a text of so many bytes | yes |
| `hide-2s` | what is made does not appear in lists and counts for so long, by the simulator's clock | yes |

What is carried out may still be refused, for example for its token; the journal says whether it was.
"""
