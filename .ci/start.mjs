// npm start: asks for "/", the real Atlas if the environment has credentials, else the fake one.
import { CREDENTIAL_VARIABLES } from "../lib/credentials.ts";

const hasCredentials = CREDENTIAL_VARIABLES.flat().some((name) => process.env[name]);
if (!hasCredentials) console.error("No credentials are set: this is the fake Atlas, as with --fake");
process.argv.splice(2, Infinity, "/", ...(hasCredentials ? [] : ["--fake"]));
await import("../lib/cli.ts");
