// A program with the address of WeChat built in: with axios, or the fetch of Node if that is its argument.
"use strict";

const fs = require("node:fs");
const { asked, goRound } = require("./telling.cjs");

const API = "https://api.weixin.qq.com/cgi-bin/";
let token = "";

async function send(method, path, query, body, type) {
  const url = `${API}${path}?${new URLSearchParams(token ? { access_token: token, ...query } : query)}`;
  const headers = type ? { "Content-Type": type } : {};
  if (process.argv[2] === "fetch") return (await fetch(url, { method, body, headers })).arrayBuffer();
  const axios = require("axios");
  return Buffer.from((await axios({ url, method, data: body, headers, responseType: "arraybuffer" })).data);
}

const post = (path, document) => send("POST", path, {}, JSON.stringify(document), "application/json");

async function upload(path, kind, name) {
  const form = new FormData();
  form.append("media", new Blob([fs.readFileSync(name)]), name);
  if (kind === "video") form.append("description", JSON.stringify({ title: "标题", introduction: "简介" }));
  return send("POST", path, { type: kind }, form);
}

(async () => {
  const who = { grant_type: "client_credential", appid: process.env.PEER_APPID, secret: process.env.PEER_SECRET };
  token = (await asked("token", () => post("stable_token", who))).access_token ?? "";
  await goRound({
    add: (kind, name) => upload("material/add_material", kind, name),
    count: () => send("GET", "material/get_materialcount", {}),
    listed: (kind) => post("material/batchget_material", { type: kind, offset: 0, count: 20 }),
    get: (id) => post("material/get_material", { media_id: id }),
    remove: (id) => post("material/del_material", { media_id: id }),
    upload: (kind, name) => upload("media/upload", kind, name),
    download: (id) => send("GET", "media/get", { media_id: id }),
    articleImage: (name) => upload("media/uploadimg", "image", name),
  });
})();
