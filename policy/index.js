// TypeScript from here on, without a check of its types: `make lint` has done that.
"use strict";
require("tsx/cjs");
require("./pack.ts");
