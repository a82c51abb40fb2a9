// The control API's types, made of its OpenAPI document (openapi.json, which a test keeps fresh).
import { readFileSync, writeFileSync } from "node:fs";

const { paths, components } = JSON.parse(readFileSync(new URL("openapi.json", import.meta.url), "utf-8"));
const PLAIN = { string: "string", number: "number", integer: "number", boolean: "boolean", null: "null" };
const METHODS = ["get", "post", "put", "delete", "patch", "head"];
const quoted = (name) => JSON.stringify(name);

function type(schema) {
  if (!schema || schema === true) return "unknown";
  if (schema.$ref) return `components["schemas"][${quoted(schema.$ref.split("/").pop())}]`;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const several = schema.anyOf ?? schema.oneOf;
  if (several) return [...new Set(several.map(type))].join(" | ");
  if (schema.allOf) return schema.allOf.map(type).join(" & ");
  if (Array.isArray(schema.type)) return schema.type.map((one) => type({ ...schema, type: one })).join(" | ");
  if (schema.format === "binary") return "Blob";
  if (schema.type === "array") return `(${type(schema.items)})[]`;
  if (schema.type === "object" || schema.properties) return object(schema);
  return PLAIN[schema.type] ?? "unknown";
}

function object({ properties = {}, required = [], additionalProperties }) {
  const fields = Object.entries(properties).map(
    ([name, schema]) => `${quoted(name)}${required.includes(name) ? "" : "?"}: ${type(schema)}`,
  );
  const rest = additionalProperties ? type(additionalProperties) : "unknown";
  if (!fields.length) return `Record<string, ${rest}>`;
  return `{ ${fields.join("; ")} }`;
}

const content = (said) =>
  said?.content ? `{ ${Object.entries(said.content).map(([kind, { schema }]) => `${quoted(kind)}: ${type(schema)}`).join("; ")} }` : "never";

function operation({ parameters = [], requestBody, responses }) {
  const of = (where) =>
    object({
      properties: Object.fromEntries(parameters.filter((each) => each.in === where).map((each) => [each.name, each.schema])),
      required: parameters.filter((each) => each.in === where && each.required).map((each) => each.name),
    });
  const answers = Object.entries(responses).map(([status, said]) => `      ${quoted(status)}: { content: ${content(said)} };`);
  return [
    `    path: ${of("path")};`,
    `    query: ${of("query")};`,
    `    body: ${content(requestBody)};`,
    "    responses: {",
    ...answers,
    "    };",
  ].join("\n");
}

const written = [
  "// Made by types.mjs of openapi.json. Do not edit.",
  "",
  "export interface components {",
  "  schemas: {",
  ...Object.entries(components?.schemas ?? {}).map(([name, schema]) => `    ${quoted(name)}: ${type(schema)};`),
  "  };",
  "}",
  "",
  "export interface paths {",
  ...Object.entries(paths ?? {}).flatMap(([path, methods]) => [
    `  ${quoted(path)}: {`,
    ...Object.entries(methods)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, said]) => `   ${method}: {\n${operation(said)}\n   };`),
    "  };",
  ]),
  "}",
  "",
];
writeFileSync(new URL("src/api.ts", import.meta.url), written.join("\n"));
