// The round of co-wechat-api, as its users write it; `prefix` is its own setting for another host.
"use strict";

const { createHash } = require("node:crypto");
const API = require("co-wechat-api");

const api = new API(process.env.PEER_APPID, process.env.PEER_SECRET);
api.prefix = `${process.env.PEER_URL}/cgi-bin/`;

// Take one step and print its outcome; the next one is taken in any case.
async function asked(step, ask) {
  let answer;
  try {
    answer = await ask();
    if (Buffer.isBuffer(answer)) answer = { sha256: createHash("sha256").update(answer).digest("hex") };
  } catch (error) {
    answer = { error: `${error.name}: ${error.code} ${error.message}` };
  }
  console.log(JSON.stringify({ step, answer }));
  return answer;
}

async function round() {
  const ids = {};
  await asked("token", async () => ({ access_token: (await api.getAccessToken()).accessToken }));
  const files = { image: "海报.png", voice: "voice.mp3", thumb: "thumb.jpg" };
  for (const [kind, name] of Object.entries(files)) {
    ids[kind] = (await asked(`add ${kind}`, () => api.uploadMaterial(name, kind))).media_id;
  }
  const words = { title: "标题", introduction: "简介" };
  ids.video = (await asked("add video", () => api.uploadVideoMaterial("片段.mp4", words))).media_id;
  await asked("count", () => api.getMaterialCount());
  for (const kind of ["image", "voice", "video"]) await asked(`list ${kind}`, () => api.getMaterials(kind, 0, 20));
  for (const [kind, id] of Object.entries(ids)) await asked(`get ${kind}`, () => api.getMaterial(id));
  for (const [kind, id] of Object.entries(ids)) await asked(`delete ${kind}`, () => api.removeMaterial(id));
  await asked("count after", () => api.getMaterialCount());
  await asked("get deleted", () => api.getMaterial(ids.image));
}

round();
