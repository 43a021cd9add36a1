/** fast-check for tests of other folders, which do not find what is installed here. */
export * from "fast-check";
