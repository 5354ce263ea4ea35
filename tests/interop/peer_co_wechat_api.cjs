// The round of co-wechat-api, as its users write it.
"use strict";

const API = require("co-wechat-api");
const { asked, goRound } = require("./telling.cjs");

const api = new API(process.env.PEER_APPID, process.env.PEER_SECRET);
const words = { title: "标题", introduction: "简介" };

(async () => {
  await asked("token", async () => ({ access_token: (await api.getAccessToken()).accessToken }));
  await goRound({
    add: (kind, name) => (kind === "video" ? api.uploadVideoMaterial(name, words) : api.uploadMaterial(name, kind)),
    count: () => api.getMaterialCount(),
    listed: (kind) => api.getMaterials(kind, 0, 20),
    get: (id) => api.getMaterial(id),
    remove: (id) => api.removeMaterial(id),
    upload: (kind, name) => api.uploadMedia(name, kind),
    download: (id) => api.getMedia(id),
    articleImage: (name) => api.uploadImage(name),
  });
})();
