// The round of wechat-api, as its users write it.
"use strict";

const { promisify } = require("node:util");
const API = require("wechat-api");
const { asked, goRound } = require("./telling.cjs");

const api = new API(process.env.PEER_APPID, process.env.PEER_SECRET);
const call = (name, ...values) => promisify(api[name]).call(api, ...values);
const words = { title: "标题", introduction: "简介" };

(async () => {
  await asked("token", async () => ({ access_token: (await call("getAccessToken")).accessToken }));
  await goRound({
    add: (kind, name) =>
      kind === "video" ? call("uploadVideoMaterial", name, words) : call("uploadMaterial", name, kind),
    count: () => call("getMaterialCount"),
    listed: (kind) => call("getMaterials", kind, 0, 20),
    get: (id) => call("getMaterial", id),
    remove: (id) => call("removeMaterial", id),
    upload: (kind, name) => call("uploadMedia", name, kind),
    download: (id) => call("getMedia", id),
    articleImage: (name) => call("uploadImage", name),
  });
})();
