// The publishing of @wenyan-md/core, by its wrapper for Node, as its users write it.
import { createRequire } from "node:module";
import { publishImageTextToWechatDraft, publishToWechatDraft, wechatPublisher } from "@wenyan-md/core/wrapper";

const { ARTICLE, asked } = createRequire(import.meta.url)("./telling.cjs");
const account = { appId: process.env.PEER_APPID, appSecret: process.env.PEER_SECRET, relativePath: process.cwd() };

await asked("token", async () => ({
  access_token: await wechatPublisher.getAccessTokenWithCache(account.appId, account.appSecret),
}));
const article = { title: ARTICLE.title, author: ARTICLE.author, content: `${ARTICLE.content}<img src="海报.png">` };
await asked("add draft", () => publishToWechatDraft({ ...article, cover: "thumb.jpg" }, account));
const post = { title: "图", content: "文", images: ["海报.png", "thumb.jpg"] };
await asked("add image post", () => publishImageTextToWechatDraft(post, account));
