/* cli/commands.h - every command's row, each defined in the file of its name or family. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/command.h"

extern const struct cli_command cmd_serve, cmd_gc, cmd_check, cmd_import, cmd_export, cmd_backup, cmd_restore,
    cmd_read_only, cmd_reload, cmd_config_check, cmd_config_show, cmd_config_document, cmd_reference;

extern const struct cli_command cmd_login, cmd_logout, cmd_auth_whoami, cmd_auth_header, cmd_ping,
    cmd_tag_list, cmd_manifest_get, cmd_manifest_head, cmd_blob_get, cmd_blob_put, cmd_blob_head,
    cmd_blob_delete, cmd_blob_mount, cmd_manifest_put, cmd_manifest_delete, cmd_manifest_digest, cmd_tag_add,
    cmd_tag_delete, cmd_catalog, cmd_request;

extern const struct cli_command cmd_inspect, cmd_index_create, cmd_index_add, cmd_index_remove,
    cmd_artifact_push, cmd_artifact_pull, cmd_artifact_attach, cmd_artifact_tree;

extern const struct cli_command cmd_registry_list, cmd_registry_show, cmd_registry_set, cmd_registry_unset;

extern const struct cli_command cmd_completion, cmd_version, cmd_help;

#endif
