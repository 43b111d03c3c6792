/* cli/manifest.c - `berth manifest get|head REF`. The text of `get` is the manifest's bytes, as they are. */
#include <jansson.h>
#include <stdio.h>

#include "cli/remote.h"

#define KINDS "  --accept KIND       any, image or index: what the registry may answer with (any)\n"

static const struct remote_command get = {
    .name = "manifest get",
    .operand = REMOTE_REFERENCE,
    .chooses = true,
    .help = "usage: berth manifest get REF [OPTION...]\n\n"
            "Prints a manifest byte for byte, when its digest is right. With --output json it stands in an "
            "object,\n"
            "beside its digest, its media type and its size.\n\n" KINDS REMOTE_OPTIONS
            "\nexamples:\n  berth manifest get localhost:5000/team/app:v1\n"
            "  berth manifest get registry.example/team/app@sha256:… | sha256sum\n",
};

static const struct remote_command head = {
    .name = "manifest head",
    .operand = REMOTE_REFERENCE,
    .chooses = true,
    .help = "usage: berth manifest head REF [OPTION...]\n\n"
            "Prints a manifest's digest, media type and size without fetching it.\n\n" KINDS REMOTE_OPTIONS
            "\nexamples:\n  berth manifest head localhost:5000/team/app:v1\n"
            "  berth manifest head docker://registry.example/team/app --output json\n",
};

static const char help[] =
    "usage: berth manifest get|head REF [OPTION...]\n\n"
    "  get    prints a manifest\n"
    "  head   prints its digest, media type and size\n\n"
    "examples:\n  berth manifest get localhost:5000/team/app:v1\n  berth manifest get --help\n";

static void print_json(const berth_content *m)
{
    json_t *j = json_pack("{s:s, s:s, s:I}", "digest", m->digest, "mediaType", m->media_type, "size",
                          (json_int_t)m->size);
    json_t *body = m->data ? json_loadb(m->data, m->size, 0, NULL) : NULL;
    if (body)
        json_object_set_new(j, "manifest", body);
    json_dumpf(j, stdout, JSON_INDENT(2));
    json_decref(j);
    printf("\n");
}

static int run(const struct remote_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = {0};
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, &r);
    if (rc >= 0)
        return rc;
    int result = c == &get ? berth_manifest_get(r.client, r.repository, r.reference, r.accept, &call, &err)
                           : berth_manifest_head(r.client, r.repository, r.reference, r.accept, &call, &err);
    if (result != BERTH_OK)
        return remote_fail(c->name, &err);
    const berth_content *m = berth_call_content(call);
    if (r.json)
        print_json(m);
    else if (m->data)
        fwrite(m->data, 1, m->size, stdout);
    else
        printf("digest      %s\nmedia type  %s\nsize        %llu\n", m->digest, m->media_type,
               (unsigned long long)m->size);
    berth_call_free(call);
    return remote_printed(c->name);
}

int cmd_manifest(int argc, char **argv)
{
    static const struct remote_command *const commands[] = {&get, &head};
    static int (*const runs[])(const struct remote_command *, int, char **) = {run, run};
    return remote_family("manifest", help, commands, runs, COUNT(commands), argc, argv);
}
