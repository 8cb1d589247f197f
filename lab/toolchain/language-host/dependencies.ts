/** What `pulumi about` and the state's metadata say about a program's npm packages. */
import * as pb from "@pulumi/pulumi/proto/language_pb";
import * as fs from "node:fs";
import * as path from "node:path";

interface Manifest {
  readonly version?: string;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly packages?: Record<string, { readonly version?: string }>;
}

function readManifest(file: string): Manifest {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Manifest;
  } catch {
    return {};
  }
}

/** Lists the installed versions of a program's packages: its own, or with `transitive` all of them. */
export function programDependencies(
  folder: string,
  transitive: boolean,
): pb.GetProgramDependenciesResponse {
  const response = new pb.GetProgramDependenciesResponse();
  const add = (name: string, version: string | undefined) => {
    if (version === undefined) return;
    response.addDependencies(new pb.DependencyInfo().setName(name).setVersion(version));
  };
  if (transitive) {
    const locked = readManifest(path.join(folder, "package-lock.json")).packages ?? {};
    for (const [location, entry] of Object.entries(locked)) {
      const marker = location.lastIndexOf("node_modules/");
      if (marker >= 0) add(location.slice(marker + "node_modules/".length), entry.version);
    }
    return response;
  }
  const manifest = readManifest(path.join(folder, "package.json"));
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })) {
    add(name, readManifest(path.join(folder, "node_modules", name, "package.json")).version);
  }
  return response;
}
