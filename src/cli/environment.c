/* cli/environment.c - see environment.h. */
#include "cli/environment.h"

#include <berth/reference.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/config.h"

enum { REGISTRY, NAMESPACE, TAG, PROTOCOL, CA_FILE, CREDENTIALS, CHUNK_SIZE, DEBUG };

const struct environment_variable environment_variables[] = {
    [REGISTRY] =
        {"BERTH_DEFAULT_REGISTRY", NULL, "DRCA_DEFAULT_REGISTRY",
         "the registry of a reference that names none (Docker Hub), and of `berth request` (localhost:5000)"},
    [NAMESPACE] =
        {"BERTH_DEFAULT_NAMESPACE", NULL, "DRCA_DEFAULT_NAMESPACE",
         "put before a single word without a registry (`library` at Docker Hub, nothing elsewhere)"},
    [TAG] = {"BERTH_DEFAULT_TAG", NULL, "DRCA_DEFAULT_TAG",
             "the tag where one is needed and none is given (`latest`)"},
    [PROTOCOL] = {"BERTH_PROTOCOL", "BERTH_DEFAULT_PROTOCOL", "DRCA_PROTOCOL",
                  "`http` or `https` for every registry (HTTPS; HTTP for localhost, 127.0.0.1 and [::1])"},
    [CA_FILE] = {"BERTH_CA_FILE", "BERTH_CACERTS", "DRCA_CACERTS",
                 "certificates to trust instead of the system's"},
    [CREDENTIALS] = {"BERTH_CREDENTIALS_STORE", NULL, "DRCA_CREDENTIALS_STORE",
                     "the file of credentials (Docker's config.json)"},
    [CHUNK_SIZE] = {"BERTH_CHUNK_SIZE", NULL, "DRCA_CHUNK_SIZE",
                    "bytes in a chunk of an upload, `2MiB` for instance"},
    [DEBUG] = {"BERTH_DEBUG", NULL, "DRCA_DEBUG",
               "tell of every request and answer on standard error, secrets masked, unless it is `0`, `no` "
               "or `false`"},
    {0},
};

/* Its value under either name; NULL: none. */
static const char *value_of(int which)
{
    const struct environment_variable *v = &environment_variables[which];
    const char *s = getenv(v->name);
    if (!(s && *s) && v->other)
        s = getenv(v->other);
    return s && *s ? s : NULL;
}

static int read_protocol(struct environment *e, berth_error *err)
{
    const char *s = value_of(PROTOCOL);
    berth_str protocol = str_from(s);
    if (!s)
        return BERTH_OK;
    if (str_eq_nocase(protocol, STR("http")))
        e->transport = BERTH_TRANSPORT_HTTP;
    else if (str_eq_nocase(protocol, STR("https")))
        e->transport = BERTH_TRANSPORT_HTTPS;
    else
        return berth_error_set(err, BERTH_E_INVALID, "BERTH_PROTOCOL is http or https, not '%s'", s);
    return BERTH_OK;
}

static bool is_off(const char *s)
{
    static const char *const words[] = {"0", "no", "false", "off"};
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_eq_nocase(str_from(s), str_from(words[i])))
            return true;
    return false;
}

int environment_read(struct environment *ret, berth_error *err)
{
    struct environment e = {.registry = value_of(REGISTRY),
                            .namespace = value_of(NAMESPACE),
                            .tag = value_of(TAG),
                            .ca_file = value_of(CA_FILE),
                            .credentials = value_of(CREDENTIALS)};
    const char *size = value_of(CHUNK_SIZE), *debug = value_of(DEBUG);
    int r = read_protocol(&e, err);
    if (r != BERTH_OK)
        return r;
    if (size && (!config_parse_size(str_from(size), &e.chunk_size) || !e.chunk_size))
        return berth_error_set(err, BERTH_E_INVALID, "BERTH_CHUNK_SIZE is a size like 2MiB, not '%s'", size);
    e.chunk_size_text = size;
    e.debug = debug && !is_off(debug);
    *ret = e;
    return BERTH_OK;
}

int environment_blame(const struct environment *e, berth_error *err)
{
    const struct {
        int which;
        berth_ref_options options;
    } each[] = {{REGISTRY, {.size = sizeof(berth_ref_options), .default_registry = e->registry}},
                {NAMESPACE, {.size = sizeof(berth_ref_options), .default_namespace = e->namespace}},
                {TAG, {.size = sizeof(berth_ref_options), .default_tag = e->tag}}};
    if (!str_starts(str_from(err->message), STR("a default for references")))
        return err->code;
    for (size_t i = 0; i < COUNT(each); i++) {
        CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
        if (berth_ref_parse_with("a", &each[i].options, &ref, NULL) != BERTH_OK)
            return berth_error_prefix(err, "%s", environment_variables[each[i].which].name);
    }
    return err->code;
}

static void tell(void *arg, const char *name, const char *nearest)
{
    const char *command = arg;
    fprintf(stderr, "berth %s: nothing reads the variable %s%s%s%s\n", command, name,
            *nearest ? " (is it " : "", nearest, *nearest ? "?)" : "");
}

void environment_warn(const char *command)
{
    CLEANUP(freep) char *copy = str_dup(str_from(command));
    if (copy)
        config_unknown_variables(tell, copy);
}
