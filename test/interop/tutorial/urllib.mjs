import { request } from "urllib";

const { ATLAS_USER, ATLAS_USER_KEY, MONGODB_ATLAS_BASE_URL } = process.env;
const { data } = await request(`${MONGODB_ATLAS_BASE_URL}/api/atlas/v2/`, {
  digestAuth: `${ATLAS_USER}:${ATLAS_USER_KEY}`,
  headers: { Accept: "application/vnd.atlas.2025-03-12+json" },
  dataType: "text",
});
console.log(data);
