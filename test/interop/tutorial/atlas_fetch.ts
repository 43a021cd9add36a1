import { atlasFetch } from "../../../mod.ts";

const response = await atlasFetch("/");
console.log(await response.text());
