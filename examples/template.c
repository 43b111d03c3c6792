/* examples/template.c - an upload in two chunks and then a manifest, request by request, as Reggie's README
 * has it.
 *
 *   cc template.c $(pkg-config --cflags --libs berth) -o template
 *   ./template http://localhost:5000 */
#include <berth/request.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST   "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" /* of "{}" */
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"

static berth_client *client;
static berth_error err;

static void fail(void)
{
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}

static berth_request *new_request(const char *method, const char *path)
{
    berth_request *request;
    if (berth_request_new(client, method, path, &request, &err) != BERTH_OK)
        fail();
    return request;
}

/* The answer, in place of the one before. */
static const berth_response *send_request(berth_request *request)
{
    static berth_call *last;
    const berth_response_error *errors;
    size_t n;
    berth_call *call;
    if (berth_request_send(request, &call, &err) != BERTH_OK)
        fail();
    berth_request_free(request);
    berth_call_free(last);
    last = call;
    const berth_response *response = berth_call_response(call);
    printf("Status: %d\n", berth_response_status(response));
    if (berth_response_status(response) >= 400 &&
        berth_response_errors(response, &errors, &n, NULL) == BERTH_OK)
        for (size_t i = 0; i < n; i++)
            fprintf(stderr, "%s: %s %s\n", errors[i].code, errors[i].message, errors[i].detail);
    return response;
}

/* The next piece of the upload. */
static berth_request *chunk(const char *method, const berth_response *before, const char *range,
                            const char *bytes)
{
    if (!berth_response_location(before))
        exit(1);
    berth_request *request = new_request(method, berth_response_location(before));
    berth_request_set_header(request, "Content-Type", "application/octet-stream");
    berth_request_set_header(request, "Content-Range", range);
    berth_request_set_body(request, bytes, strlen(bytes));
    return request;
}

static void trace(void *arg, berth_trace what, uint64_t exchange, const char *text)
{
    (void)arg, (void)what;
    fprintf(stderr, "[%llu] %s", (unsigned long long)exchange, text);
}

int main(int argc, char **argv)
{
    /* a client for your registry */
    berth_client_options options = BERTH_CLIENT_OPTIONS_INIT;
    options.default_name = "myorg/myrepo";
    options.trace = trace;
    if (berth_client_new(argc > 1 ? argv[1] : "http://localhost:5000", &options, &client, &err) != BERTH_OK)
        fail();

    /* the session's URL; then the chunks "{" and "}", of which the second closes the session */
    const berth_response *response = send_request(new_request(BERTH_POST, "/v2/<name>/blobs/uploads/"));
    response = send_request(chunk(BERTH_PATCH, response, "0-0", "{"));
    berth_request *request = chunk(BERTH_PUT, response, "1-1", "}");
    berth_request_set_query(request, "digest", DIGEST);
    send_request(request);

    /* what was uploaded */
    request = new_request(BERTH_GET, "/v2/<name>/blobs/<digest>");
    berth_request_set_digest(request, DIGEST);
    printf("Blob content:\n%s\n", (const char *)berth_response_body(send_request(request), NULL));

    /* a manifest that refers to it */
    static const char manifest[] =
        "{ \"mediaType\": \"" MANIFEST "\", \"config\": { \"digest\": \"" DIGEST
        "\", \"mediaType\": \"application/vnd.oci.image.config.v1+json\", \"size\": 2 }, "
        "\"layers\": [], \"schemaVersion\": 2 }";
    request = new_request(BERTH_PUT, "/v2/<name>/manifests/<reference>");
    berth_request_set_reference(request, "mytag");
    berth_request_set_header(request, "Content-Type", MANIFEST);
    berth_request_set_body(request, manifest, strlen(manifest));
    send_request(request);
    request = new_request(BERTH_GET, "/v2/<name>/manifests/<reference>");
    berth_request_set_reference(request, "mytag");
    berth_request_set_header(request, "Accept", MANIFEST);
    response = send_request(request);
    printf("Manifest content:\n%s\n", (const char *)berth_response_body(response, NULL));
    return berth_response_status(response) == 200 ? 0 : 1; /* the system frees the rest */
}
