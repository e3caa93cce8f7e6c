// Finds the newest module that knows a label and asks it about an image:
//   npm run predict -- LABEL IMAGE
// MODELFOUNDRY_REGISTRY and MODELFOUNDRY_REUSER name the services, `host:port`.
import { readFile } from "node:fs/promises";
import { createClient, ConnectError } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { RegistryService } from "../gen/modelfoundry/api/registry/v1/registry_service_pb.js";
import { ReuserService } from "../gen/modelfoundry/api/reuser/v1/reuser_service_pb.js";

const address = (variable: string, port: number) => `http://${process.env[variable] ?? `127.0.0.1:${port}`}`;
const registry = createClient(
  RegistryService,
  createGrpcTransport({ baseUrl: address("MODELFOUNDRY_REGISTRY", 50054) }),
);
const reuser = createClient(ReuserService, createGrpcTransport({ baseUrl: address("MODELFOUNDRY_REUSER", 50053) }));

async function main(label: string, image: string): Promise<void> {
  const filter = `labels:"${label.replace(/["\\]/g, "\\$&")}"`;
  const { modules } = await registry.listModules({ parent: "projects/default", filter, pageSize: 1 });
  const module = modules[0];
  if (module === undefined) throw new Error(`no module knows ${label}`);
  const encoded = new Uint8Array(await readFile(image));
  const answer = await reuser.predict({
    subject: module.name,
    images: [{ content: { case: "encoded", value: encoded } }],
    topK: 1,
  });
  const best = answer.predictions[0]?.labels[0];
  console.log(`${module.name} says ${best?.label}: ${((best?.probability ?? 0) * 100).toFixed(1)} %`);
}

const [label, image] = process.argv.slice(2);
if (label === undefined || image === undefined) {
  console.error("usage: npm run predict -- LABEL IMAGE");
  process.exit(2);
}
main(label, image).catch((error: unknown) => {
  console.error(ConnectError.from(error).message);
  process.exit(1);
});
