// Parses asyncapi.json; fails at anything that the parser has to say.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { diagnostics } = await new Parser().parse(readFileSync("asyncapi.json", "utf8"));
// It asks for the latest version of AsyncAPI. Ours is the one that tools know.
const found = diagnostics.filter((d) => d.code !== "asyncapi-latest-version");
if (found.length > 0) {
  console.error(found);
  process.exit(1);
}
