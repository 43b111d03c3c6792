/* cli/reference.c - `berth reference REF`: what a reference means, piece by piece, or what is wrong with it.
 */
#include <berth/reference.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/environment.h"
#include "util/str.h"

#define TRANSPORT "docker://" /* as podman and skopeo write it */
#define LAYOUT    "oci:"

static const char *type_name(berth_tag_type type)
{
    switch (type) {
    case BERTH_TAG_SYMBOLIC:
        return "symbolic";
    case BERTH_TAG_DIGEST:
        return "digest";
    case BERTH_TAG_NONE:
        break;
    }
    return "no_tag";
}

struct field {
    const char *key, *value;
};

static json_t *document(const struct field *fields, size_t n)
{
    json_t *object = json_object();
    for (size_t i = 0; i < n && object; i++) {
        const char *v = fields[i].value;
        if (json_object_set_new(object, fields[i].key, v ? json_string(v) : json_null()) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static int print(const struct cli_command *c, const struct cli_base *b, const berth_ref *ref,
                 const char *digest)
{
    const struct field fields[] = {
        {"original", b->operands[0]},
        {"normalised", ref->normalised},
        {"netloc", ref->netloc},
        {"name", ref->repository},
        {"tag", ref->tag},
        {"digest", digest},
        {"tag_type", type_name(ref->tag_type)},
        {"ref_without_tag", ref->without_tag},
    };
    if (!cli_wants_text(b))
        return cli_print(c, b, document(fields, COUNT(fields)));
    for (size_t i = 0; i < COUNT(fields); i++)
        printf("%-17s %s\n", fields[i].key, fields[i].value ? fields[i].value : "-");
    return cli_printed(c);
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(cli_base_done) struct cli_base b = {0};
    int rc = cli_read(c, argc, argv, &b);
    if (rc >= 0)
        return rc;
    CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
    berth_ref_options defaults = BERTH_REF_OPTIONS_INIT;
    struct environment env;
    berth_digest digest;
    berth_error err = BERTH_ERROR_INIT;
    if (environment_read(&env, &err) != BERTH_OK)
        return cli_usage(c->name, "%s", err.message);
    environment_warn(c->name);
    defaults.default_registry = env.registry;
    defaults.default_namespace = env.namespace;
    defaults.default_tag = env.tag;
    const char *text = b.operands[0];
    bool prefixed = str_starts(str_from(text), STR(TRANSPORT));
    int e = str_starts(str_from(text), STR(LAYOUT))
                ? berth_error_set(&err, BERTH_E_INVALID, "'%s' is an image layout on the disk, no reference",
                                  text)
                : berth_ref_parse_with(text + (prefixed ? strlen(TRANSPORT) : 0), &defaults, &ref, &err);
    if (e != BERTH_OK)
        environment_blame(&env, &err);
    if (e == BERTH_OK && ref.tag_type == BERTH_TAG_DIGEST)
        e = berth_ref_digest(&ref, &digest, &err);
    if (e != BERTH_OK)
        return cli_fail(c->name, &err);
    return print(c, &b, &ref, ref.tag_type == BERTH_TAG_DIGEST ? digest.text : NULL);
}

const struct cli_command cmd_reference = {
    .name = "reference",
    .summary = "say what an image reference means, or what is wrong with it",
    .operands = "REF",
    .text =
        "Says what an image reference means: where it is, under which name and tag. Nothing is asked over "
        "the network. docker:// before it is allowed. BERTH_DEFAULT_REGISTRY, BERTH_DEFAULT_NAMESPACE and "
        "BERTH_DEFAULT_TAG hold as for all commands; without the last no tag is made up where there is "
        "none.\n\n"
        "What is not there is printed as -, in JSON as null.",
    .fields =
        (const struct cli_field[]){
            {"original", "string", "the text as given"},
            {"normalised", "string", "the same in full; equal references have equal ones"},
            {"netloc", "string", "the registry's host and port; Docker Hub's is registry-1.docker.io"},
            {"name", "string", "the repository"},
            {"tag", "string or null", "what follows the name: a digest, or else a tag"},
            {"digest", "string or null", "the digest, checked"},
            {"tag_type", "string", "symbolic, digest or no_tag"},
            {"ref_without_tag", "string", "the normalised form without tag and digest"},
            {0}},
    .examples = (const struct cli_example[]){{"berth reference alpine:3 --output json", NULL},
                                             {"berth reference alpine:3 --format '{{.normalised}}'", NULL},
                                             {0}},
    .takes = CLI_OUTPUT,
    .run = run,
};
