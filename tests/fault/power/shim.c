/* A disk that can be watched and can fail, for one process.
 *
 * Preloaded (LD_PRELOAD) it stands between the program and the C library: every change of the files
 * below one directory is recorded, in the order in which it happened, and the n-th call of a kind
 * can be made to fail. The environment names the directory (WXSERVE_SHIM_ROOT) and a file of one
 * struct control (WXSERVE_SHIM_CONTROL), which another process may map and change at any time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, TRUNCATE, SYNC, UNLINK, RENAME, MKDIR, MARK, READ, KINDS };

/* All numbers are 64 bits wide, so that another program needs no layout but their order. */
struct control {
    int64_t kinds;         /* which kinds fail: bit 1 << kind; 0 for none */
    int64_t after;         /* how many calls of these kinds still succeed */
    int64_t error;         /* errno of those that fail */
    int64_t lasting;       /* whether all later ones fail as well */
    int64_t hits;          /* how many have failed */
    int64_t where;         /* which file the last of them was about: see place() */
    int64_t counts[KINDS]; /* how many calls there were, per kind */
};

static struct control *control;
static char root[4096];
static size_t root_length;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char watched[65536]; /* per descriptor its place(), 0 for none */
static int recording;
static void (*before)(void); /* called in front of each change, without the lock */
static char *record;
static size_t record_size, record_space;

#define NEXT(name) ((__typeof__(&name))next(#name))

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
    static struct control own;
    control = &own;
    const char *path = getenv("WXSERVE_SHIM_ROOT"), *file = getenv("WXSERVE_SHIM_CONTROL");
    if (path && strlen(path) < sizeof root - 1) {
        strcpy(root, path);
        root_length = strlen(root);
    }
    if (file) {
        int fd = NEXT(open64)(file, O_RDWR | O_CLOEXEC);
        void *mapped = fd < 0 ? MAP_FAILED
                              : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (mapped == MAP_FAILED) _exit(99); /* a test that injects nothing must not pass */
        control = mapped;
        close(fd);
    }
}

static const char *below(const char *path) { /* the path below the root, NULL if it is not */
    if (!root_length || strncmp(path, root, root_length)) return NULL;
    if (!path[root_length]) return ".";
    return path[root_length] == '/' ? path + root_length + 1 : NULL;
}

static int is_watched(int fd) { return fd >= 0 && fd < (int)sizeof watched && watched[fd]; }

static int ends(const char *path, const char *with) {
    size_t one = strlen(path), other = strlen(with);
    return one >= other && !strcmp(path + one - other, with);
}

static int place(const char *path) { /* what kind of file it is */
    if (ends(path, "-wal")) return 2;
    if (ends(path, "-shm")) return 3;
    if (ends(path, "-journal")) return 4;
    return ends(path, ".sqlite3") ? 1 : 5;
}

static int fails(int kind, int where) { /* called with the lock held */
    control->counts[kind]++;
    if (!(control->kinds & (1 << kind))) return 0;
    if (control->after > 0) {
        control->after--;
        return 0;
    }
    if (!control->lasting) control->kinds = 0;
    control->hits++;
    control->where = where;
    errno = control->error;
    return 1;
}

static void note(int kind, int fd, int64_t offset, const void *data, size_t length) {
    if (!recording) return;
    struct { int32_t kind, fd; int64_t offset, length; } head = {kind, fd, offset, length};
    size_t needed = record_size + sizeof head + length;
    if (needed > record_space) {
        record_space = needed * 2 + 65536;
        record = realloc(record, record_space);
        if (!record) abort();
    }
    memcpy(record + record_size, &head, sizeof head);
    memcpy(record + record_size + sizeof head, data, length);
    record_size = needed;
}

/* -- for the test in the same process ---------------------------------------------------------- */

void shim_record(int on) {
    pthread_mutex_lock(&lock);
    recording = on;
    if (on) record_size = 0;
    pthread_mutex_unlock(&lock);
}

void shim_before(void (*hook)(void)) { before = hook; }

void shim_mark(int64_t number) {
    pthread_mutex_lock(&lock);
    note(MARK, 0, number, "", 0);
    pthread_mutex_unlock(&lock);
}

size_t shim_size(void) { return record_size; }
const char *shim_data(void) { return record; }

/* -- in place of the C library's --------------------------------------------------------------- */

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    const char *inside = below(path);
    if (!inside) return real(path, flags, mode);
    pthread_mutex_lock(&lock);
    int fd = fails(OPEN, place(inside)) ? -1 : real(path, flags, mode);
    if (fd >= 0 && fd < (int)sizeof watched) {
        watched[fd] = place(inside);
        note(OPEN, fd, 0, inside, strlen(inside));
        if (flags & O_TRUNC) note(TRUNCATE, fd, 0, "", 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags) ({ va_list list; va_start(list, flags); mode_t mode = va_arg(list, mode_t); \
                       va_end(list); mode; })

int open(const char *path, int flags, ...) {
    return opened(NEXT(open), path, flags, flags & (O_CREAT | O_TMPFILE) ? MODE(flags) : 0);
}

int open64(const char *path, int flags, ...) {
    return opened(NEXT(open64), path, flags, flags & (O_CREAT | O_TMPFILE) ? MODE(flags) : 0);
}

int close(int fd) {
    if (is_watched(fd)) watched[fd] = 0;
    return NEXT(close)(fd);
}

static ssize_t written(ssize_t (*real)(int, const void *, size_t, off64_t), int fd,
                       const void *data, size_t length, off64_t offset) {
    if (!is_watched(fd)) return real(fd, data, length, offset);
    if (before) before();
    pthread_mutex_lock(&lock);
    ssize_t done = fails(WRITE, watched[fd]) ? -1 : real(fd, data, length, offset);
    if (done > 0) note(WRITE, fd, offset, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    return written(NEXT(pwrite64), fd, data, length, offset);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return written(NEXT(pwrite), fd, data, length, offset);
}

ssize_t write(int fd, const void *data, size_t length) {
    if (!is_watched(fd)) return NEXT(write)(fd, data, length);
    pthread_mutex_lock(&lock);
    off64_t offset = lseek64(fd, 0, SEEK_CUR);
    ssize_t done = fails(WRITE, watched[fd]) ? -1 : NEXT(write)(fd, data, length);
    if (done > 0) note(WRITE, fd, offset, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pread64(int fd, void *data, size_t length, off64_t offset) {
    if (is_watched(fd)) {
        pthread_mutex_lock(&lock);
        int failed = fails(READ, watched[fd]);
        pthread_mutex_unlock(&lock);
        if (failed) return -1;
    }
    return NEXT(pread64)(fd, data, length, offset);
}

static int truncated(int (*real)(int, off64_t), int fd, off64_t size) {
    if (!is_watched(fd)) return real(fd, size);
    if (before) before();
    pthread_mutex_lock(&lock);
    int status = fails(TRUNCATE, watched[fd]) ? -1 : real(fd, size);
    if (!status) note(TRUNCATE, fd, size, "", 0);
    pthread_mutex_unlock(&lock);
    return status;
}

int ftruncate64(int fd, off64_t size) { return truncated(NEXT(ftruncate64), fd, size); }
int ftruncate(int fd, off_t size) { return truncated(NEXT(ftruncate), fd, size); }

static int synced(int (*real)(int), int fd) {
    if (!is_watched(fd)) return real(fd);
    if (before) before();
    pthread_mutex_lock(&lock);
    int status = fails(SYNC, watched[fd]) ? -1 : real(fd);
    if (!status) note(SYNC, fd, 0, "", 0);
    pthread_mutex_unlock(&lock);
    return status;
}

int fsync(int fd) { return synced(NEXT(fsync), fd); }
int fdatasync(int fd) { return synced(NEXT(fdatasync), fd); }

int unlink(const char *path) {
    const char *inside = below(path);
    if (!inside) return NEXT(unlink)(path);
    pthread_mutex_lock(&lock);
    int status = fails(UNLINK, place(inside)) ? -1 : NEXT(unlink)(path);
    if (!status) note(UNLINK, 0, 0, inside, strlen(inside));
    pthread_mutex_unlock(&lock);
    return status;
}

int mkdir(const char *path, mode_t mode) {
    const char *inside = below(path);
    if (!inside) return NEXT(mkdir)(path, mode);
    pthread_mutex_lock(&lock);
    int status = fails(MKDIR, 5) ? -1 : NEXT(mkdir)(path, mode);
    if (!status) note(MKDIR, 0, 0, inside, strlen(inside));
    pthread_mutex_unlock(&lock);
    return status;
}

int rename(const char *old, const char *new) {
    const char *one = below(old), *other = below(new);
    if (!one || !other) return NEXT(rename)(old, new);
    pthread_mutex_lock(&lock);
    int status = fails(RENAME, 5) ? -1 : NEXT(rename)(old, new);
    if (!status) {
        char both[8192];
        size_t length = strlen(one) + 1 + strlen(other);
        if (length >= sizeof both) abort();
        strcpy(both, one);
        strcpy(both + strlen(one) + 1, other);
        note(RENAME, 0, 0, both, length);
    }
    pthread_mutex_unlock(&lock);
    return status;
}
