require "httparty"

response = HTTParty.get(
  ENV["MONGODB_ATLAS_BASE_URL"] + "/api/atlas/v2/",
  digest_auth: { username: ENV["ATLAS_USER"], password: ENV["ATLAS_USER_KEY"] },
  headers: { "Accept" => "application/vnd.atlas.2025-03-12+json" }
)
puts response.body
