// A skill's life: sent file by file and as an archive, brought back, deleted. Nothing in it knows about Hostler.

import { createReadStream } from "node:fs";

import Anthropic, { toFile } from "@anthropic-ai/sdk";

const client = new Anthropic();

const text = "---\nname: word-counter\ndescription: Counts words.\n---\nCount them.\n";
const skill = await client.beta.skills.create({
  files: [
    await toFile(Buffer.from(text), "words/SKILL.md"),
    await toFile(Buffer.from("#!/bin/sh\n"), "words/scripts/count.sh"),
  ],
});
const version = await client.beta.skills.versions.create(skill.id, { files: [createReadStream("it.zip")] });
console.log(version.name);

const content = await client.beta.skills.versions.download(version.id, { skill_id: skill.id });
const bytes = Buffer.from(await content.arrayBuffer());
console.log(bytes.includes("word-counter/SKILL.md") ? "word-counter/SKILL.md is there" : "it is not there");

for await (const one of client.beta.skills.versions.list(skill.id, { limit: 1 })) {
  if (one.skill_id !== skill.id) throw new Error(one.id);
}
await client.beta.skills.delete(skill.id);
console.log("deleted");
