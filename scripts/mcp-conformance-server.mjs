// What @modelcontextprotocol/conformance wants of a server beside the protocol: tools, resources and prompts of fixed
// names, registered with McpServer as an owner does. scripts/ports.mjs runs the suite against it. Prints its address.
import { serveMcpHttp } from "../dist/ports/mcp/index.js";

const png =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/** A header of 44 bytes and no samples. */
const wav = Buffer.concat([
  Buffer.from("RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0", "latin1"),
  Buffer.from("\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0", "latin1"),
]);
const text = (said) => ({ type: "text", text: said });
const image = { type: "image", data: png, mimeType: "image/png" };
const texts = (...names) => ({
  type: "object",
  properties: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
  required: names,
});
/** A tool without parameters, or with some. */
const tool = (description, handler, inputSchema) => ({
  description,
  handler,
  ...(inputSchema !== undefined && { inputSchema }),
});
const asks = (description, properties) =>
  tool(description, async (_input, { elicit }) => {
    const requestedSchema = { type: "object", properties, required: [] };
    const { action, content = {} } = await elicit({ message: description, requestedSchema });
    return `Elicitation completed: action=${action}, content=${JSON.stringify(content)}`;
  });
const titled = (...names) => names.map((name) => ({ const: name, title: `Title of ${name}` }));
const options = ["option1", "option2", "option3"];
const values = ["value1", "value2", "value3"];
const embedded = (uri, said, mimeType = "text/plain") => ({
  type: "resource",
  resource: { uri, mimeType, text: said },
});

const tools = {
  test_simple_text: tool("A text", () => "This is a simple text response for testing."),
  test_image_content: tool("An image", () => ({ content: [image] })),
  test_audio_content: tool("A sound", () => ({
    content: [{ type: "audio", data: wav, mimeType: "audio/wav" }],
  })),
  test_embedded_resource: tool("A resource", () => ({
    content: [embedded("test://embedded-resource", "This is an embedded resource content.")],
  })),
  test_multiple_content_types: tool("Three kinds of content", () => ({
    content: [
      text("Multiple content types test:"),
      image,
      embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json"),
    ],
  })),
  test_tool_with_logging: tool("Logs three times", (_input, { log }) => {
    for (const said of ["started", "processing", "completed"]) log("info", `Tool ${said}`);
    return "logged";
  }),
  test_tool_with_progress: tool("Says three times how far it is", (_input, { progress }) => {
    for (const done of [0, 50, 100]) progress(done, 100);
    return "done";
  }),
  test_error_handling: tool("Fails", () => {
    throw new Error("This tool intentionally returns an error for testing");
  }),
  test_sampling: tool(
    "Asks the client's model",
    async ({ prompt }, { sample }) => {
      const messages = [{ role: "user", content: text(prompt) }];
      const { content } = await sample({ messages, maxTokens: 100 });
      return `LLM response: ${content.text}`;
    },
    texts("prompt"),
  ),
  test_elicitation: tool(
    "Asks the client's user",
    async ({ message }, { elicit }) => {
      const said = await elicit({ message, requestedSchema: texts("username", "email") });
      return `User response: ${JSON.stringify(said)}`;
    },
    texts("message"),
  ),
  test_elicitation_sep1034_defaults: asks("Asks with defaults", {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
  }),
  test_elicitation_sep1330_enums: asks("Asks for one of several", {
    untitledSingle: { type: "string", enum: options },
    titledSingle: { type: "string", oneOf: titled(...values) },
    legacyEnum: {
      type: "string",
      enum: ["opt1", "opt2", "opt3"],
      enumNames: ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti: { type: "array", items: { type: "string", enum: options } },
    titledMulti: { type: "array", items: { anyOf: titled(...values) } },
  }),
  test_reconnection: tool("Lets go of the connection before it answers", (_input, { release }) => {
    release();
    return "answered to a client that came back";
  }),
  json_schema_2020_12_tool: tool("Has keywords of JSON Schema 2020-12", () => "fits", {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: {
      address: {
        type: "object",
        properties: { street: { type: "string" }, city: { type: "string" } },
      },
    },
    properties: { name: { type: "string" }, address: { $ref: "#/$defs/address" } },
    additionalProperties: false,
  }),
};

const user = (content) => ({ role: "user", content });
const prompts = {
  test_simple_prompt: {
    description: "A text",
    get: () => "This is a simple prompt for testing.",
  },
  test_prompt_with_arguments: {
    description: "A text with two arguments in it",
    arguments: [
      { name: "arg1", required: true, complete: (value) => [`${value}ing`, `${value}ed`] },
      { name: "arg2", required: true },
    ],
    get: ({ arg1, arg2 }) => `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`,
  },
  test_prompt_with_embedded_resource: {
    description: "A resource and a text",
    arguments: [{ name: "resourceUri", required: true }],
    get: ({ resourceUri }) => [
      user(embedded(resourceUri, "Embedded resource content for testing.")),
      user(text("Please process the embedded resource above.")),
    ],
  },
  test_prompt_with_image: {
    description: "An image and a text",
    get: () => [user(image), user(text("Please analyze the image above."))],
  },
};

const resource = (name, mimeType, read) => ({
  uri: `test://${name}`,
  name,
  description: `The resource ${name}`,
  mimeType,
  read,
});
const { url } = await serveMcpHttp({
  tools,
  prompts,
  resources: [
    resource("static-text", "text/plain", () => "This is the content of the static text resource."),
    resource("static-binary", "image/png", () => Buffer.from(png, "base64")),
    resource("watched-resource", "text/plain", () => "What is watched."),
  ],
  resourceTemplates: [
    {
      uriTemplate: "test://template/{id}/data",
      name: "template",
      description: "Data by id",
      mimeType: "application/json",
      read: ({ id }) => JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
    },
  ],
});
console.log(url);
