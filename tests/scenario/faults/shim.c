/* Faults of a machine, for a process that is started with LD_PRELOAD: what they are, the environment says.

   FAULTS_ROOT    only files below this folder are concerned
   FAULTS_LOG     a file that each write is noted in before it is done, and each sync after it: what a power cut may
                  take is then known (powercut.py)
   FAULTS_SYNC    the number of the sync (fsync or fdatasync, counted from 1) that fails with EIO, and all after it
   FAULTS_SPACE   how many bytes may be written before the disk is full (ENOSPC)
   FAULTS_CLOCK   a seed: the wall clock jumps up to a day ahead or back, every 200th time it is read

   An entry of the log: a line "w|t|s OFFSET LENGTH OLD PATH" (write, truncate, sync), then LENGTH new bytes and OLD
   old bytes from OFFSET on. A truncation has no new bytes; its LENGTH is 0 and OLD what it cuts off or 0. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_file = -1;
static const char *root;
static long sync_fails, syncs, space = -1, written;
static unsigned clock_seed;
static long clock_reads;
static time_t shift;

__attribute__((constructor)) static void begin(void) {
    const char *name;
    root = getenv("FAULTS_ROOT");
    if ((name = getenv("FAULTS_SYNC"))) sync_fails = atol(name);
    if ((name = getenv("FAULTS_SPACE"))) space = atol(name);
    if ((name = getenv("FAULTS_CLOCK"))) clock_seed = (unsigned)atol(name);
    if ((name = getenv("FAULTS_LOG"))) log_file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static ssize_t raw_write(int fd, const void *data, size_t size, off_t at) {
    return syscall(SYS_pwrite64, fd, data, size, at);
}

/* The path of a regular file below the root, or 0. */
static int concerned(int fd, char *path) {
    char link[64];
    struct stat about;
    if (!root || fd == log_file) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    if (size < 0) return 0;
    path[size] = 0;
    if (strncmp(path, root, strlen(root)) || strstr(path, "-shm")) return 0;
    return !fstat(fd, &about) && S_ISREG(about.st_mode);
}

static void put(const void *data, size_t size) {
    while (size > 0) {
        ssize_t done = syscall(SYS_write, log_file, data, size);
        if (done < 0) abort();
        data = (const char *)data + done;
        size -= (size_t)done;
    }
}

static void note(char what, int fd, const char *path, off_t at, const void *data, size_t size) {
    if (log_file < 0) return;
    struct stat about;
    size_t old = 0;
    if (what != 's' && !fstat(fd, &about) && about.st_size > at) {
        old = (size_t)(about.st_size - at);
        if (what == 'w' && old > size) old = size;
    }
    char *before = malloc(old + 1);
    int again = open(path, O_RDONLY | O_CLOEXEC);  /* the descriptor itself may be for writing only */
    if (old && (again < 0 || syscall(SYS_pread64, again, before, old, at) != (ssize_t)old)) old = 0;
    if (again >= 0) close(again);
    char line[PATH_MAX + 100];
    int head = snprintf(line, sizeof line, "%c %lld %zu %zu %s\n", what, (long long)at, size, old, path);
    char *whole = malloc((size_t)head + size + old);
    memcpy(whole, line, (size_t)head);
    if (size) memcpy(whole + head, data, size);
    if (old) memcpy(whole + head + size, before, old);
    put(whole, (size_t)head + size + old);  /* one write: it is whole or not there */
    free(whole);
    free(before);
}

static ssize_t place(int fd, const void *data, size_t size, off_t at) {
    char path[PATH_MAX];
    if (!concerned(fd, path)) return raw_write(fd, data, size, at);
    pthread_mutex_lock(&lock);
    ssize_t done;
    if (space >= 0 && written + (long)size > space) {
        errno = ENOSPC;
        done = -1;
    } else {
        note('w', fd, path, at, data, size);
        done = raw_write(fd, data, size, at);
        if (done > 0) written += done;
    }
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return place(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return place(fd, data, size, at); }

ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    if (!concerned(fd, path)) return syscall(SYS_write, fd, data, size);
    off_t at = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t done = place(fd, data, size, at);
    if (done > 0) lseek(fd, at + done, SEEK_SET);
    return done;
}

static int cut(int fd, off_t size) {
    char path[PATH_MAX];
    if (!concerned(fd, path)) return (int)syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    note('t', fd, path, size, 0, 0);
    int done = (int)syscall(SYS_ftruncate, fd, size);
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off_t size) { return cut(fd, size); }

static int sync_file(int fd, long call) {
    char path[PATH_MAX];
    if (!concerned(fd, path)) return (int)syscall(call, fd);
    pthread_mutex_lock(&lock);
    int done, kept;
    if (sync_fails && ++syncs >= sync_fails) {
        done = -1;
        kept = EIO;
    } else {
        done = (int)syscall(call, fd);
        kept = errno;
        if (!done) note('s', fd, path, 0, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

int clock_gettime(clockid_t which, struct timespec *when) {
    int done = (int)syscall(SYS_clock_gettime, which, when);
    if (!done && which == CLOCK_REALTIME && clock_seed) {
        if (clock_reads++ % 200 == 0) shift = (time_t)(rand_r(&clock_seed) % 172801) - 86400;
        when->tv_sec += shift;
    }
    return done;
}
