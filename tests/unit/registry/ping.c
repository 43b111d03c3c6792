/* tests/unit/registry/ping.c - /v2/ and the list of extensions. */
#include "fixture.h"

#include <jansson.h>

static void test_registry_ping__says_which_api_this_is(void **state)
{
    (void)state;
    CHECK(get("/v2/") == 200);
    CHECK_ANSWERED("Docker-Distribution-API-Version", "registry/2.0"); /* some clients ask for it */
    CHECK_ANSWERED("Content-Type", "application/json");
    CHECK_BODY("{\"success\":true}");
    CHECK(ask("HEAD", "/v2", "", STR("")) == 200);
    CHECK(asked()->out.n == 0 && asked()->length == 16);
}

static void test_registry_ping__lists_extensions_that_the_routes_have(void **state)
{
    (void)state;
    CHECK(get("/v2/a/_oci/ext/discover") == 200);
    json_t *root = json_loads(answer_text(), 0, NULL), *extension, *endpoint;
    size_t i, k, n = 0;
    json_array_foreach(json_object_get(root, "extensions"), i, extension)
    {
        CHECK(json_is_string(json_object_get(extension, "name")));
        CHECK(json_is_string(json_object_get(extension, "url")));
        CHECK(json_is_string(json_object_get(extension, "description")));
        json_array_foreach(json_object_get(extension, "endpoints"), k, endpoint)
        {
            bool routed = false;
            for (size_t r = 0; r < route_count(); r++)
                routed = routed || strstr(route_labels(r), path_of("\"%s\"", json_string_value(endpoint)));
            CHECK_ROW(k, routed);
            n++;
        }
    }
    assert_int_equal(n, 3);
    json_decref(root);
}

RUN_TESTS(SITE_TEST(test_registry_ping__says_which_api_this_is),
          SITE_TEST(test_registry_ping__lists_extensions_that_the_routes_have))
