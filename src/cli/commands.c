/* cli/commands.c - the list of all commands, and of their families. */
#include "cli/commands.h"

/* clang-format off: one a line, so that a new one is a line */
const struct cli_command *const cli_commands[] = {
    &cmd_serve,
    &cmd_gc,
    &cmd_check,
    &cmd_import,
    &cmd_export,
    &cmd_backup,
    &cmd_restore,
    &cmd_read_only,
    &cmd_reload,
    &cmd_config_check,
    &cmd_config_show,
    &cmd_config_document,
    &cmd_reference,
#ifdef BERTH_CLIENT
    &cmd_login,
    &cmd_logout,
    &cmd_auth_whoami,
    &cmd_auth_header,
    &cmd_registry_list,
    &cmd_registry_show,
    &cmd_registry_set,
    &cmd_registry_unset,
    &cmd_ping,
    &cmd_catalog,
    &cmd_tag_list,
    &cmd_tag_add,
    &cmd_tag_delete,
    &cmd_manifest_get,
    &cmd_manifest_head,
    &cmd_manifest_put,
    &cmd_manifest_digest,
    &cmd_manifest_delete,
    &cmd_blob_get,
    &cmd_blob_head,
    &cmd_blob_put,
    &cmd_blob_mount,
    &cmd_blob_delete,
    &cmd_index_create,
    &cmd_index_add,
    &cmd_index_remove,
    &cmd_artifact_push,
    &cmd_artifact_pull,
    &cmd_artifact_attach,
    &cmd_artifact_tree,
    &cmd_inspect,
    &cmd_request,
#endif
    &cmd_completion,
    &cmd_version,
    &cmd_help,
    NULL,
};
/* clang-format on */

const struct cli_family cli_families[] = {
    {"config", "check, show or document the configuration"},
#ifdef BERTH_CLIENT
    {"auth", "say who we are to a registry, and what has to be sent along"},
    {"registry", "keep settings for each registry: certificates, proxies, limits"},
    {"tag", "list, set and remove tags"},
    {"manifest", "get, put and delete manifests"},
    {"blob", "get, put, mount and delete blobs"},
    {"index", "make one index of several images, or change it"},
    {"artifact", "keep files in a registry, alone or beside an image"},
#endif
    {NULL, NULL},
};

const struct cli_exit cli_exits[] = {
    {EXIT_OK, "done"},
    {EXIT_FAILED, "it was tried and failed"},
    {EXIT_USAGE, "the command line makes no sense"},
    {EXIT_CONFIG, "the configuration is not valid"},
    {EXIT_NOT_FOUND, "no such folder, file or server; a registry has no such repository, tag or blob"},
    {EXIT_BUSY, "another process has the folder, or the same work is under way; a registry says: later"},
    {EXIT_PROBLEMS, "it ran, and found problems"},
    {EXIT_DENIED, "a registry wants other credentials, or does not allow it"},
    {EXIT_NETWORK, "a registry can't be reached, or broke off"},
    {EXIT_DIGEST, "what came is not what its digest says"},
    {EXIT_INTERRUPTED, "Ctrl-C; no file has its name that is not whole"},
    {0, NULL},
};
