// A test application in JavaScript: it controls the simulator and calls it as WeChat, over HTTP alone.
import assert from "node:assert/strict";

const base = process.env.WXASSET_BASE_URL;

async function ask(method, path, body) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const response = await fetch(base + path, { method, ...sent });
  return { status: response.status, document: await response.json() };
}

const options = await ask("PATCH", "/_sim/options", { voice_cap: 5, daily_limits: { "/cgi-bin/token": 3 } });
assert.equal(options.document.voice_cap, 5);
const unknown = await ask("PATCH", "/_sim/options", { voice_cpa: 5 });
assert.equal(unknown.status, 400);
assert.match(unknown.document.error, /^unknown option 'voice_cpa'; did you mean voice_cap/);

const staged = await ask("POST", "/_sim/articles", { articles: [{ title: "标题", content: "<p>1</p>" }] });
const { token } = (await ask("POST", "/_sim/tokens/cloudbase", {})).document;
const path = `/cgi-bin/material/get_material?cloudbase_access_token=${token}`;
const wanted = { media_id: staged.document.media_id };
assert.equal((await ask("POST", path, wanted)).document.news_item[0].title, "标题");

await ask("POST", "/_sim/faults", { endpoint: "get_material", fault: "errcode:45009", times: 1 });
assert.equal((await ask("POST", path, wanted)).document.errcode, 45009);
assert.equal((await ask("POST", path, wanted)).document.errcode, undefined);

const journal = (await ask("GET", "/_sim/journal")).document;
assert.deepEqual(journal.map((entry) => [entry.path, entry.fault, entry.errcode]), [
  ["/cgi-bin/material/get_material", null, 0],
  ["/cgi-bin/material/get_material", "errcode:45009", 45009],
  ["/cgi-bin/material/get_material", null, 0],
]);
console.log("ok");
