/* tests/fault/vfs.h - a file system of SQLite's that stands before the real one and fails when it is told to:
 * the n-th call that changes a file, makes, measures or removes one, or maps shared memory. */
#ifndef FAULT_VFS_H
#define FAULT_VFS_H

#include <stdbool.h>

enum vfs_failure {
    VFS_IOERR,  /* this one call fails */
    VFS_FULL,   /* from this call on nothing can be written: the disk is full */
    VFS_SHORT,  /* half of what this call was to write is written, then the disk is full */
    VFS_TORN,   /* half is written, and that is an error of the device */
    VFS_BROKEN, /* from this call on all fail: the device is gone */
    VFS_FAILURES_
};

/* Becomes SQLite's default; once for the process. */
void vfs_install(void);
/* The @nth counted call from now on fails; 0 disarms, and the disk is well again. */
void vfs_arm(enum vfs_failure failure, unsigned nth);
bool vfs_disarm(void); /* whether it fired */
const char *vfs_failure_name(enum vfs_failure failure);

#endif
