// The round of node-easywechat, as its users write it: its client has no methods for media, but a token and files.
"use strict";

const fs = require("node:fs");
const { OfficialAccount } = require("node-easywechat");
const { ARTICLE, asked, goRound } = require("./telling.cjs");

const app = new OfficialAccount({ app_id: process.env.PEER_APPID, secret: process.env.PEER_SECRET });
const client = app.getClient();
const words = JSON.stringify({ title: "标题", introduction: "简介" });
const post = async (path, document) => (await client.postJson(`/cgi-bin/${path}`, document)).toObject();

async function bytes(promise) {
  const response = await promise;
  const content = response.getContent();
  return Buffer.isBuffer(content) ? content : response.toObject();
}

async function upload(path, kind, name) {
  const sending = client.withFile(fs.createReadStream(name), "media");
  if (kind === "video") sending.with("description", words);
  return (await sending.post(`/cgi-bin/${path}`, { params: { type: kind } })).toObject();
}

(async () => {
  await asked("token", async () => ({ access_token: await app.getAccessToken().getToken() }));
  await goRound({
    add: (kind, name) => upload("material/add_material", kind, name),
    count: async () => (await client.get("/cgi-bin/material/get_materialcount")).toObject(),
    listed: (kind) => post("material/batchget_material", { type: kind, offset: 0, count: 20 }),
    get: (id) =>
      bytes(client.postJson("/cgi-bin/material/get_material", { media_id: id }, { responseType: "arraybuffer" })),
    remove: (id) => post("material/del_material", { media_id: id }),
    upload: (kind, name) => upload("media/upload", kind, name),
    download: (id) => bytes(client.get("/cgi-bin/media/get", { params: { media_id: id }, responseType: "arraybuffer" })),
    articleImage: (name) => upload("media/uploadimg", "image", name),
  });
  const cover = (await upload("material/add_material", "image", "海报.png")).media_id;
  const articles = [{ ...ARTICLE, thumb_media_id: cover }];
  const draft = (await asked("add draft", () => post("draft/add", { articles }))).media_id;
  await asked("get draft", () => post("draft/get", { media_id: draft }));
  await asked("delete draft", () => post("draft/delete", { media_id: draft }));
})();
