// How a peer's program tells what its library answered: one line of JSON for each step.
"use strict";

const { createHash } = require("node:crypto");

const MEDIA = { image: "海报.png", voice: "voice.mp3", thumb: "thumb.jpg", video: "片段.mp4" };
const ARTICLE = { title: "标题", author: "作者", digest: "摘要", content: "<p>正文</p>" };

function shown(answer) {
  if (answer instanceof ArrayBuffer) answer = Buffer.from(answer);
  if (Buffer.isBuffer(answer)) {
    if (answer.subarray(0, 1).toString() === "{") return JSON.parse(answer.toString());
    return { sha256: createHash("sha256").update(answer).digest("hex") };
  }
  return answer;
}

// Take one step and print its outcome; the next one is taken in any case.
async function asked(step, ask) {
  let answer;
  try {
    answer = shown(await ask());
  } catch (error) {
    answer = { error: `${error.name}: ${error.code} ${error.message}` };
  }
  console.log(JSON.stringify({ step, answer }));
  return answer ?? {};
}

// Go the round of materials, temporary media and images of articles, with the calls of a library.
async function goRound({ add, count, listed, get, remove, upload, download, articleImage }) {
  const ids = {};
  for (const [kind, name] of Object.entries(MEDIA)) {
    ids[kind] = (await asked(`add ${kind}`, () => add(kind, name))).media_id;
  }
  await asked("count", count);
  for (const kind of ["image", "voice", "video"]) await asked(`list ${kind}`, () => listed(kind));
  for (const [kind, id] of Object.entries(ids)) if (id) await asked(`get ${kind}`, () => get(id));
  for (const [kind, id] of Object.entries(ids)) if (id) await asked(`delete ${kind}`, () => remove(id));
  await asked("count after", count);
  await asked("get deleted", () => get(ids.image));
  const id = (await asked("add temporary", () => upload("image", MEDIA.image))).media_id;
  await asked("get temporary", () => download(id));
  await asked("article image", () => articleImage(MEDIA.image));
}

module.exports = { ARTICLE, MEDIA, asked, goRound };
