import pulumi from "@pulumi/eslint-plugin";
import tseslint from "typescript-eslint";

/** `folder` may not import from `others`: what is built on something is never known to it. */
const mayNotImport = (folder, ...others) => ({
  files: [`${folder}/**/*.ts`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: others.map((other) => ({
          regex: `^(\\.\\./)+${other}(/|$)`,
          message: `${folder} must not depend on ${other}`,
        })),
      },
    ],
  },
});

export default tseslint.config(
  { ignores: ["node_modules/", ".lab/", "rancher/bin/"] },
  { files: ["**/*.ts"], extends: [tseslint.configs.strict] },
  {
    files: ["**/*.ts"],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { "@pulumi": pulumi },
    rules: {
      "@pulumi/no-output-in-template-literal": "error",
      "@pulumi/no-output-instance-in-template-literal": "error",
      "@typescript-eslint/restrict-template-expressions": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/prefer-nullish-coalescing": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-extraneous-class": "off",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", ignoreRestSiblings: true },
      ],
      eqeqeq: "error",
    },
  },
  // start.ts -> index.ts -> components -> (config, rancher); rancher imports nothing of ours; commands work on what
  // index.ts has made; policy judges it by the tables of config; lab, test and bench import the product, never the other way round.
  mayNotImport("config", "components", "rancher", "commands", "policy", "lab", "test", "bench"),
  mayNotImport("components", "commands", "policy", "lab", "test", "bench"),
  mayNotImport("rancher", "config", "components", "commands", "policy", "lab", "test", "bench"),
  mayNotImport("commands", "components", "policy", "pipeline", "lab", "test", "bench"),
  mayNotImport("pipeline", "components", "policy", "lab", "test", "bench"),
  mayNotImport("policy", "components", "rancher", "commands", "lab", "test", "bench"),
  {
    files: ["index.ts", "start.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: "^\\./(?!components|config|index)",
              message: "start.ts and index.ts only wire components",
            },
          ],
        },
      ],
    },
  },
);
