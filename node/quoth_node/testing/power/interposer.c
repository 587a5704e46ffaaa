/* What a process writes and has not synced, written down: preloaded into nodes that may lose power.
 *
 * For each file and folder below $QUOTH_POWER_FOLDER there is one record, in $QUOTH_POWER_RECORDS,
 * named by its inode. It holds what was done since the last sync that came back:
 *
 *     a change of bytes   where, the size before, the bytes before, the bytes after
 *     a change of names   what was made, moved or removed; what a name meant before is kept by a link
 *
 * Each is complete before the change is made, so a process may be killed at any instant. A sync
 * that has come back empties the record: what it held is on disk. Changes and syncs of one file
 * exclude each other, in a process by a mutex, between processes by flock, so there is no doubt
 * what a sync covers. `replay.py` reads the records and says what a power cut could have left.
 *
 * Not seen: writes through a memory map, and calls of the kernel that go around libc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 64
#define MAGIC 0x31505751u /* "QWP1", little-endian: the version of the form */

enum kind { CHANGE = 1, DURABLE = 2, MADE = 3, MOVED = 4, REMOVED = 5 };

/* The head of every entry; what follows it is told by the lengths. */
struct head {
    uint32_t magic, kind;
    uint64_t at_ns;      /* CLOCK_MONOTONIC: orders entries of different records */
    uint64_t offset;     /* of a change */
    uint64_t size_before, size_after;
    uint64_t before_len, after_len; /* bytes, or paths with their ends */
};

static pthread_mutex_t locks[SLOTS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char folder[PATH_MAX], records[PATH_MAX];
static size_t folder_len;
static __thread int inside; /* our own calls are not recorded */

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static void die(const char *what) {
    /* A node whose writes are not recorded would pass tests it should fail. */
    char line[256];
    int length = snprintf(line, sizeof line, "power recording failed: %s: %s\n", what, strerror(errno));
    syscall(SYS_write, 2, line, (size_t)length);
    _exit(97);
}

static void begin(void) {
    const char *where = getenv("QUOTH_POWER_FOLDER"), *to = getenv("QUOTH_POWER_RECORDS");
    if (where && to && realpath(where, folder) && realpath(to, records)) folder_len = strlen(folder);
    for (int i = 0; i < SLOTS; i++) pthread_mutex_init(&locks[i], NULL);
}

static int is_on(void) {
    pthread_once(&once, begin);
    return folder_len != 0 && !inside;
}

/* What nodes say in words, and locks, are nobody's data. */
static int is_below(const char *path) {
    if (strncmp(path, folder, folder_len) != 0 || path[folder_len] != '/') return 0;
    const char *name = strrchr(path, '/') + 1;
    return strncmp(name, "node.log", 8) != 0 && strcmp(name, "lock.mdb") != 0 &&
           strcmp(name, "node.lock") != 0 && strcmp(name, "node.pid") != 0 &&
           !(strlen(name) > 4 && strcmp(name + strlen(name) - 4, "-shm") == 0);
}

static int path_of_fd(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return path[0] == '/';
}

/* The place a call names, absolute; the last part may not exist, and is not followed. */
static int absolute(int dirfd, const char *given, char *path) {
    char whole[2 * PATH_MAX], parent[PATH_MAX];
    if (given[0] == '/') {
        snprintf(whole, sizeof whole, "%s", given);
    } else if (dirfd == AT_FDCWD) {
        if (!getcwd(parent, sizeof parent)) return 0;
        snprintf(whole, sizeof whole, "%s/%s", parent, given);
    } else {
        if (!path_of_fd(dirfd, parent)) return 0;
        snprintf(whole, sizeof whole, "%s/%s", parent, given);
    }
    size_t length = strlen(whole);
    while (length > 1 && whole[length - 1] == '/') whole[--length] = 0;
    char *slash = strrchr(whole, '/');
    char name[NAME_MAX + 1];
    if (!slash || strlen(slash + 1) > NAME_MAX) return 0;
    strcpy(name, slash + 1);
    if (slash == whole) return 0;
    *slash = 0;
    if (!realpath(whole, parent)) return 0;
    return snprintf(path, PATH_MAX, "%s/%s", parent, name) < PATH_MAX;
}

struct held { int slot, fd; };

/* The record of an inode, for us alone until `let_go`. */
static struct held hold(dev_t dev, ino_t ino) {
    char path[PATH_MAX + 64];
    struct held held = {(int)(ino % SLOTS), -1};
    pthread_mutex_lock(&locks[held.slot]);
    inside = 1;
    snprintf(path, sizeof path, "%s/%llx-%llu", records, (unsigned long long)dev, (unsigned long long)ino);
    held.fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (held.fd < 0) die(path);
    while (flock(held.fd, LOCK_EX) != 0)
        if (errno != EINTR) die("flock");
    return held;
}

static void let_go(struct held held) {
    int saved = errno;
    syscall(SYS_close, held.fd); /* the lock goes with it */
    inside = 0;
    pthread_mutex_unlock(&locks[held.slot]);
    errno = saved;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static off_t length_of(int fd) {
    struct stat found;
    if (fstat(fd, &found) != 0) die("fstat");
    return found.st_size;
}

static void append(struct held held, struct head head, const void *before, const void *after) {
    struct iovec parts[3] = {{&head, sizeof head},
                             {(void *)(uintptr_t)before, head.before_len},
                             {(void *)(uintptr_t)after, head.after_len}};
    size_t whole = sizeof head + head.before_len + head.after_len;
    ssize_t done = syscall(SYS_pwritev, held.fd, parts, 3, (long)length_of(held.fd), 0L);
    if (done == (ssize_t)whole) return;
    if (done >= 0) errno = ENOSPC;
    die("writing a record"); /* an entry that is cut short is no entry: its change was not made */
}

/* The entry that begins at `start` says more than was done. */
static void correct(struct held held, off_t start, off_t size_after, size_t done) {
    struct head head;
    if (syscall(SYS_pread64, held.fd, &head, sizeof head, start) != (ssize_t)sizeof head) die("reading a record");
    off_t end = start + (off_t)(sizeof head + head.before_len + done);
    head.after_len = done;
    head.size_after = (uint64_t)size_after;
    if (syscall(SYS_pwrite64, held.fd, &head, sizeof head, start) != (ssize_t)sizeof head) die("mending a record");
    if (syscall(SYS_ftruncate, held.fd, done ? end : start) != 0) die("mending a record");
}

/* Which file an fd means, if it is one of ours. */
static int is_ours(int fd, struct stat *found) {
    char path[PATH_MAX];
    if (!is_on() || fstat(fd, found) != 0 || !S_ISREG(found->st_mode)) return 0;
    return path_of_fd(fd, path) && is_below(path);
}

static void record_change(struct held held, int fd, off_t size, off_t offset, const void *data, size_t length,
                          off_t size_after, int is_durable) {
    struct head head = {.magic = MAGIC, .kind = is_durable ? DURABLE : CHANGE, .at_ns = now_ns()};
    off_t before_end = offset + (off_t)length;
    if (size_after < size) before_end = size; /* what is cut off */
    if (before_end > size) before_end = size;
    size_t before_len = before_end > offset ? (size_t)(before_end - offset) : 0;
    char *before = before_len ? malloc(before_len) : NULL;
    if (before_len && !before) die("malloc");
    for (size_t done = 0; done < before_len;) {
        /* The descriptor may be for writing only. */
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        int reader = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
        if (reader < 0) die("opening a file to read it");
        ssize_t part = 1;
        while (done < before_len && part > 0) {
            part = syscall(SYS_pread64, reader, before + done, before_len - done, offset + (off_t)done);
            if (part > 0) done += (size_t)part;
        }
        syscall(SYS_close, reader);
        if (part <= 0) die("reading what is written over");
    }
    head.offset = (uint64_t)offset;
    head.size_before = (uint64_t)size;
    head.size_after = (uint64_t)size_after;
    head.before_len = before_len;
    head.after_len = data ? length : 0;
    append(held, head, before, data);
    free(before);
}

/* -- bytes */

static ssize_t gathered(int fd, const struct iovec *parts, int count, off_t offset, int is_positioned) {
    struct stat found;
    size_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    char *data = malloc(length ? length : 1), *at = data;
    if (!data) die("malloc");
    for (int i = 0; i < count; i++) at = mempcpy(at, parts[i].iov_base, parts[i].iov_len);
    if (fstat(fd, &found) != 0) die("fstat");
    struct held held = hold(found.st_dev, found.st_ino);
    off_t size = length_of(fd), start = length_of(held.fd);
    int flags = (int)syscall(SYS_fcntl, fd, F_GETFL, 0);
    off_t where = offset;
    if (!is_positioned) where = flags & O_APPEND ? size : (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
    /* One that is durable by itself needs no entry unless others of the file are not. */
    int is_durable = (flags & O_DSYNC) != 0;
    off_t size_after = where + (off_t)length > size ? where + (off_t)length : size;
    if (length && (!is_durable || start > 0))
        record_change(held, fd, size, where, data, length, size_after, is_durable);
    ssize_t done = is_positioned ? syscall(SYS_pwrite64, fd, data, length, offset)
                                 : syscall(SYS_write, fd, data, length);
    if (done < (ssize_t)length && length_of(held.fd) > start) {
        int saved = errno;
        correct(held, start, length_of(fd), done > 0 ? (size_t)done : 0);
        errno = saved;
    }
    let_go(held);
    free(data);
    return done;
}

ssize_t write(int fd, const void *data, size_t length) {
    struct stat found;
    if (!is_ours(fd, &found)) return REAL(write)(fd, data, length);
    struct iovec part = {(void *)(uintptr_t)data, length};
    return gathered(fd, &part, 1, 0, 0);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct stat found;
    if (!is_ours(fd, &found)) return REAL(writev)(fd, parts, count);
    return gathered(fd, parts, count, 0, 0);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    struct stat found;
    if (!is_ours(fd, &found)) return REAL(pwrite)(fd, data, length, offset);
    struct iovec part = {(void *)(uintptr_t)data, length};
    return gathered(fd, &part, 1, offset, 1);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) { return pwrite(fd, data, length, offset); }

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    struct stat found;
    if (!is_ours(fd, &found)) return REAL(pwritev)(fd, parts, count, offset);
    return gathered(fd, parts, count, offset, 1);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) { return pwritev(fd, parts, count, offset); }
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    struct stat found;
    if (!is_ours(fd, &found)) return REAL(pwritev2)(fd, parts, count, offset, flags);
    return gathered(fd, parts, count, offset, offset != -1);
}
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags) {
    return pwritev2(fd, parts, count, offset, flags);
}

static int cut_to(int fd, off_t length) {
    struct stat found;
    if (fstat(fd, &found) != 0) return -1;
    struct held held = hold(found.st_dev, found.st_ino);
    off_t size = length_of(fd);
    if (length != size) record_change(held, fd, size, length < size ? length : size, NULL, 0, length, 0);
    int result = (int)syscall(SYS_ftruncate, fd, length);
    let_go(held);
    return result;
}

int ftruncate(int fd, off_t length) {
    struct stat found;
    if (length < 0 || !is_ours(fd, &found)) return REAL(ftruncate)(fd, length);
    return cut_to(fd, length);
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int posix_fallocate(int fd, off_t offset, off_t length) {
    struct stat found;
    if (offset < 0 || length <= 0 || !is_ours(fd, &found)) return REAL(posix_fallocate)(fd, offset, length);
    struct held held = hold(found.st_dev, found.st_ino);
    off_t size = length_of(fd);
    if (offset + length > size) record_change(held, fd, size, size, NULL, 0, offset + length, 0);
    int result = syscall(SYS_fallocate, fd, 0, offset, length) == 0 ? 0 : errno;
    let_go(held);
    return result;
}
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

/* They would go around `write`: their callers fall back to it. */
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length, unsigned flags) {
    struct stat found;
    if (!is_ours(out, &found)) return REAL(copy_file_range)(in, in_at, out, out_at, length, flags);
    errno = EXDEV;
    return -1;
}
ssize_t sendfile(int out, int in, off_t *offset, size_t length) {
    struct stat found;
    if (!is_ours(out, &found)) return syscall(SYS_sendfile, out, in, offset, length);
    errno = EINVAL;
    return -1;
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t length) { return sendfile(out, in, offset, length); }

/* -- syncs */

/* An inode that nobody has any more; its number may be given to another one. */
static void forget(dev_t dev, ino_t ino) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%llx-%llu", records, (unsigned long long)dev, (unsigned long long)ino);
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static void forget_links(struct held held) {
    /* Links that kept what names meant before: nobody needs them now. */
    struct head head;
    char path[PATH_MAX + 64];
    struct stat found;
    off_t at = 0;
    while (syscall(SYS_pread64, held.fd, &head, sizeof head, at) == (ssize_t)sizeof head && head.magic == MAGIC) {
        snprintf(path, sizeof path, "%s/kept-%llu", records, (unsigned long long)head.at_ns);
        if ((head.kind == MOVED || head.kind == REMOVED) && lstat(path, &found) == 0) {
            syscall(SYS_unlinkat, AT_FDCWD, path, 0);
            if (found.st_nlink == 1) forget(found.st_dev, found.st_ino);
        }
        at += (off_t)(sizeof head + head.before_len + head.after_len);
    }
}

static int synced(int fd, long number) {
    struct stat found;
    char path[PATH_MAX];
    int ours = is_on() && fstat(fd, &found) == 0 && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode)) &&
               path_of_fd(fd, path) && (is_below(path) || (S_ISDIR(found.st_mode) && strcmp(path, folder) == 0));
    if (!ours) return (int)syscall(number, fd);
    struct held held = hold(found.st_dev, found.st_ino);
    int result = (int)syscall(number, fd);
    if (result == 0) {
        if (S_ISDIR(found.st_mode)) forget_links(held);
        if (syscall(SYS_ftruncate, held.fd, 0) != 0) die("emptying a record");
    }
    let_go(held);
    return result;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

/* -- names */

/* The record of the folder a path is in. */
static int hold_parent(const char *path, struct held *held) {
    char parent[PATH_MAX];
    struct stat found;
    strcpy(parent, path);
    *strrchr(parent, '/') = 0;
    if (stat(parent, &found) != 0) return 0;
    *held = hold(found.st_dev, found.st_ino);
    return 1;
}

static uint64_t record_name(struct held held, enum kind kind, const char *from, const char *to) {
    struct head head = {.magic = MAGIC, .kind = kind, .at_ns = now_ns()};
    head.before_len = strlen(from) + 1;
    head.after_len = to ? strlen(to) + 1 : 0;
    append(held, head, from, to);
    return head.at_ns;
}

/* What a name means now is kept under another one. A folder that is replaced or removed is empty. */
static void keep(const char *path, uint64_t at_ns) {
    char kept[PATH_MAX + 64];
    struct stat found;
    if (lstat(path, &found) != 0 || S_ISDIR(found.st_mode)) return;
    snprintf(kept, sizeof kept, "%s/kept-%llu", records, (unsigned long long)at_ns);
    if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, kept, 0) != 0) die("keeping a file");
}

static int opened(int dirfd, const char *given, int flags, mode_t mode) {
    char path[PATH_MAX];
    struct held held;
    struct stat found;
    int ours = is_on() && (flags & (O_CREAT | O_TRUNC)) && !(flags & O_TMPFILE & ~O_DIRECTORY) &&
               absolute(dirfd, given, path) && is_below(path);
    if (!ours) return (int)syscall(SYS_openat, dirfd, given, flags, mode);
    int fd;
    if ((flags & O_CREAT) && lstat(path, &found) != 0 && hold_parent(path, &held)) {
        int is_new = lstat(path, &found) != 0;
        if (is_new) record_name(held, MADE, path, NULL);
        fd = (int)syscall(SYS_openat, dirfd, given, flags & ~O_TRUNC, mode);
        if (is_new && fd >= 0 && fstat(fd, &found) == 0) forget(found.st_dev, found.st_ino);
        let_go(held);
    } else {
        fd = (int)syscall(SYS_openat, dirfd, given, flags & ~O_TRUNC, mode);
    }
    if (fd >= 0 && (flags & O_TRUNC) && fstat(fd, &found) == 0 && found.st_size > 0 && cut_to(fd, 0) != 0) {
        syscall(SYS_close, fd);
        return -1;
    }
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = (mode_t)va_arg(rest, int); \
        va_end(rest); \
    }
int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int dirfd, const char *path, int flags, ...) { MODE(flags) return opened(dirfd, path, flags, mode); }
int openat64(int dirfd, const char *path, int flags, ...) { MODE(flags) return opened(dirfd, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

static int moved(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    char source[PATH_MAX], target[PATH_MAX];
    struct held held;
    int ours = is_on() && absolute(from_fd, from, source) && absolute(to_fd, to, target) && is_below(target);
    if (!ours || !hold_parent(target, &held)) return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
    keep(target, record_name(held, MOVED, source, target));
    int result = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
    let_go(held);
    return result;
}
int rename(const char *from, const char *to) { return moved(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_fd, const char *from, int to_fd, const char *to) { return moved(from_fd, from, to_fd, to, 0); }
int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    return moved(from_fd, from, to_fd, to, flags);
}

static int removed(int dirfd, const char *given, int flags) {
    char path[PATH_MAX];
    struct held held;
    struct stat found;
    int ours = is_on() && absolute(dirfd, given, path) && is_below(path) && lstat(path, &found) == 0;
    if (!ours || !hold_parent(path, &held)) return (int)syscall(SYS_unlinkat, dirfd, given, flags);
    keep(path, record_name(held, REMOVED, path, flags & AT_REMOVEDIR ? "folder" : "file"));
    int result = (int)syscall(SYS_unlinkat, dirfd, given, flags);
    let_go(held);
    return result;
}
int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int dirfd, const char *path, int flags) { return removed(dirfd, path, flags); }

static int made(int dirfd, const char *given, mode_t mode) {
    char path[PATH_MAX];
    struct held held;
    struct stat found;
    int ours = is_on() && absolute(dirfd, given, path) && is_below(path) && lstat(path, &found) != 0;
    if (!ours || !hold_parent(path, &held)) return (int)syscall(SYS_mkdirat, dirfd, given, mode);
    record_name(held, MADE, path, NULL);
    int result = (int)syscall(SYS_mkdirat, dirfd, given, mode);
    if (result == 0 && lstat(path, &found) == 0) forget(found.st_dev, found.st_ino);
    let_go(held);
    return result;
}
int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int dirfd, const char *path, mode_t mode) { return made(dirfd, path, mode); }
