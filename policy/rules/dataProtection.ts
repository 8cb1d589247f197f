import type { ResourceRule } from "../rule";

/** What holds data that is nowhere else. */
const holders: Readonly<Record<string, string>> = {
  "aws:ebs/volume:Volume": "the databases' disk",
  "aws:efs/fileSystem:FileSystem": "the site's files",
};

export const dataProtected: ResourceRule = {
  name: "data-protected",
  description: "Nothing deletes the databases' disk or the site's files",
  why: "a destroy in the wrong window, or a change that replaces it, deletes what visitors and authors wrote, and there is no way back",
  fix: "pulumi config set protectData true",
  severity: "high",
  problems: ({ type, isProtected }) => {
    const what = holders[type];
    return what === undefined || isProtected ? [] : [`holds ${what} and is not protected`];
  },
};
