/* daemon/offline.c - runs a command on the server that owns the folder, or, when none runs, on the folder
 * itself. */
#include "daemon/admin.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "daemon/backup.h"
#include "daemon/control.h"
#include "util/fault.h"

/* Keeps the right to pass through folders that are not ours, and drops root's others. */
static void keep_search(void)
{
    struct __user_cap_header_struct of = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &of, caps) < 0)
        return;
    caps[0].permitted &= 1U << CAP_DAC_READ_SEARCH;
    caps[0].effective = caps[0].permitted;
    for (unsigned i = 1; i < COUNT(caps); i++)
        caps[i] = (struct __user_cap_data_struct){0};
    caps[0].inheritable = 0;
    syscall(SYS_capset, &of, caps);
}

/* Files made by root in a service's folder would lock the service out: root becomes the folder's owner. Who
 * may have no way to the folder: systemd keeps those of dynamic users below /var/lib/private, which is root's
 * alone. */
static int become_owner(const char *data, berth_error *err)
{
    struct stat st;
    if (geteuid() != 0)
        return BERTH_OK;
    bool there = !fault_hit() ? stat(data, &st) == 0 : (errno = EIO, false);
    if (!there && errno != ENOENT && errno != ENOTDIR)
        return berth_error_set(err, BERTH_E_IO, "looking at '%s': %s", data, strerror(errno));
    if (!there || st.st_uid == 0)
        return BERTH_OK;
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 || setgid(st.st_gid) < 0 ||
        setuid(st.st_uid) < 0)
        return berth_error_set(err, BERTH_E_DENIED, "acting as the owner of '%s': %s", data, strerror(errno));
    keep_search();
    return BERTH_OK;
}

static void tell_problem(void *arg, const char *text)
{
    const struct admin_out *out = arg;
    out->line(out->arg, text);
}

static int open_and_run(const struct config *c, berth_str command, struct instance *in,
                        const struct admin_out *out, berth_error *err)
{
    const bool alone = in->alone;
    const struct repo_salvage_result salvage = in->salvage;
    int rc = instance_open(c, str_starts(command, STR("import")), in, err);
    if (rc != BERTH_OK)
        return rc;
    in->alone = alone;
    in->salvage = salvage;
    rc = admin_run(in, command, out, err);
    instance_close(in);
    return rc;
}

/* What a check can't repair in the database it has open: the tables. They are salvaged into a new one, and
 * the check begins anew. */
static int check_alone(const struct config *c, berth_str command, const struct admin_out *out,
                       berth_error *err)
{
    struct admin_out copy = *out;
    const struct repo_salvage_options o = {.problem = tell_problem, .arg = &copy, .stop = out->stop};
    struct instance in = {.alone = true};
    berth_error why = BERTH_ERROR_INIT;
    int rc = open_and_run(c, command, &in, out, &why);
    if (rc != BERTH_E_CORRUPT) {
        if (rc != BERTH_OK && err)
            *err = why;
        return rc;
    }
    struct instance again = {0};
    out->line(out->arg, why.message);
    rc = instance_salvage(c, &o, &again.salvage, err);
    return rc == BERTH_OK ? open_and_run(c, command, &again, out, err) : rc;
}

int admin_command(const struct config *c, berth_str command, const struct admin_out *out, berth_error *err)
{
    berth_error asked = BERTH_ERROR_INIT;
    bool served;
    int rc = control_ask(c->data, command, out, &served, &asked);
    if (served || rc != BERTH_E_NOT_FOUND) {
        if (err)
            *err = asked;
        return rc;
    }
    if (str_starts(command, STR("read-only")) || str_starts(command, STR("status")) ||
        str_starts(command, STR("reload")))
        return berth_error_set(err, BERTH_E_NOT_FOUND, "no server runs on the folder '%s'", c->data);
    struct instance in;
    rc = become_owner(c->data, err);
    if (rc != BERTH_OK)
        return rc;
    if (str_starts(command, STR("restore "))) {
        bool fresh;
        rc = restore_makes_folder(c->data, &fresh, err);
        if (rc == BERTH_OK && fresh)
            return admin_restore(c, command, out, err);
        if (rc == BERTH_OK)
            rc = restore_may_merge(c->data, err);
        if (rc != BERTH_OK)
            return rc;
    }
    in = (struct instance){0};
    const bool repairs = str_starts(command, STR("check")) && memmem(command.p, command.n, " repair", 7);
    return repairs ? check_alone(c, command, out, err) : open_and_run(c, command, &in, out, err);
}
