/* A disk that is slow, full or broken, for the files of one process: an LD_PRELOAD library.
   The control file holds three 32-bit numbers: microseconds added to each flush, the errno of each
   flush, the errno of each write.  Only files whose name contains ".db" are touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct control {
    volatile int32_t flush_us, flush_errno, write_errno;
};

static struct control *control(void) {
    static struct control *mapped;
    if (!mapped) {
        const char *path = getenv("DISK_CONTROL");
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        void *at = fd < 0 ? MAP_FAILED
                          : mmap(NULL, sizeof *mapped, PROT_READ, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED) abort(); /* a fault that silently is none proves nothing */
        mapped = at;
    }
    return mapped;
}

static int is_database(int fd) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) return 0;
    name[length] = 0;
    return strstr(name, ".db") != NULL;
}

static int flush(int fd, const char *name) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (is_database(fd)) {
        int32_t us = control()->flush_us;
        struct timespec wait = {us / 1000000, us % 1000000 * 1000L};
        if (us) nanosleep(&wait, NULL);
        if (control()->flush_errno) {
            errno = control()->flush_errno;
            return -1;
        }
    }
    return real(fd);
}

int fdatasync(int fd) { return flush(fd, "fdatasync"); }
int fsync(int fd) { return flush(fd, "fsync"); }

static ssize_t write_at(int fd, const void *data, size_t size, off_t at, const char *name) {
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name);
    if (control()->write_errno && is_database(fd)) {
        errno = control()->write_errno;
        return -1;
    }
    return real(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return write_at(fd, data, size, at, "pwrite");
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
    return write_at(fd, data, size, at, "pwrite64");
}
