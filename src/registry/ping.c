/* registry/ping.c - /v2/ and the list of extensions (distribution-spec, end-1; extensions/_oci.md). */
#include "registry/private.h"

void ping(http_request *req)
{
    http_respond(req, 200);
    http_set_header(req, "Content-Type", "application/json");
    http_set_header(req, "Docker-Distribution-API-Version", "registry/2.0");
    http_body_lend(req, STR("{\"success\":true}"));
}

void extensions_discover(http_request *req)
{
    http_respond(req, 200);
    http_set_header(req, "Content-Type", "application/json");
    http_body_lend(
        req,
        STR("{\"extensions\":["
            "{\"name\":\"_oci\",\"description\":\"extensions of this registry\","
            "\"url\":\"https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md\","
            "\"endpoints\":[\"/v2/_oci/ext/discover\",\"/v2/{name}/_oci/ext/discover\"]},"
            "{\"name\":\"_berth\",\"description\":\"DELETE of a whole repository\","
            "\"url\":\"docs/api.md\",\"endpoints\":[\"/v2/{name}\"]}]}"));
}
