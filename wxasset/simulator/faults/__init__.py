"""The language of faults, injected with short spec strings.

A fault is one word, or several separated by commas: `hide-2s,reset-after-commit`. "Commit" means: the request was
carried out and its effect is permanent. Sizes are bytes, or `K` (1024) and `M`; durations are `ms` or `s`.

| word | effect | the request is carried out |
|---|---|---|
| `errcode:-1` | response with this error code | no |
| `errcode-after-commit:-1` | response with this error code | yes |
| `status:503` | this HTTP status, with a gateway's page | no |
| `status-after-commit:502` | the same | yes |
| `retry-after:30` | a Retry-After header; a 503 unless another word sets the response | no, if alone |
| `reset-before-commit` | RST after the whole request was read | no |
| `reset-after-commit` | RST instead of the response | yes |
| `close-before-commit` | FIN after the whole request was read | no |
| `close-before-reply` | FIN instead of the response | yes |
| `reset-after-64K` | RST after this many bytes of the request body (or all of a shorter one) | no |
| `close-after-64K` | FIN at the same point; the rest is not read | no |
| `return-503-after-64K` | this status at the same point, and FIN; the rest is not read | no |
| `stall-30s` | the response is delayed by this time | yes, before the stall |
| `stall-30s-before-commit` | the same | yes, after the stall, even if the client has disconnected |
| `stall-30s-after-8K` | the rest of the response body is delayed by this time | yes |
| `delay-200ms` | as `stall`, for requests expected to succeed | yes |
| `trickle-1B-every-100ms` | the response body in pieces of this size and interval | yes |
| `slow-head-100ms` | the response head, one byte per interval | yes |
| `cut-reply-after-100` | full length announced, this much of the body sent (always less than all), FIN | yes |
| `reset-reply-after-100` | the same with RST | yes |
| `chunked-cut-after-100` | the same in chunks, without the last one | yes |
| `wrong-length:10` | a Content-Length too large by this many bytes and FIN, or too small if negative | yes |
| `revoke-token` | every token so far is rejected with 40001, including this request's | if it needs no token |
| `expire-token` | the same with 42001 | if it needs no token |
| `malformed-token` | this request is rejected with 40014 | no |
| `redirect:307` | a redirect to `/redirected` of the simulator; the journal shows the visit | no |
| `redirect:302:http://...` | a redirect to that address | no |
| `html`, `html-after-commit` | HTTP 200 with a gateway's page | no; yes |
| `foreign-json`, `foreign-json-after-commit` | HTTP 200 with JSON of a gateway, without WeChat's keys | no; yes |
| `empty-after-commit` | HTTP 200 without a body | yes |
| `garbage-after-commit` | the first half of a JSON document | yes |
| `not-http` | the greeting of another protocol | yes |
| `control-characters` | strings of the JSON response contain raw control characters | yes |
| `invalid-utf8` | strings of the JSON response contain invalid UTF-8 | yes |
| `deep-json:100000` | JSON with this many nested arrays | yes |
| `long-errcode:5000` | an errcode with this many digits | yes |
| `gzip-bomb:100M` | JSON of this size after decompression | yes |
| `huge-reply:64M` | JSON of this size | yes |
| `hide-2s` | created items are missing from lists and counts for this time, by the simulator's clock | yes |

A request carried out may still be rejected, for example for its token; the journal shows the result.
"""
