/* Preloaded into the service: writes down what it does to the store's files, and makes the disk fail on demand.
 *
 * RECORD_ROOT     the data directory
 * RECORD_LOG      where records are appended; none: nothing is written down
 * RECORD_FAULTS   a file of two native 64-bit numbers that may change at any time: how many further syncs succeed
 *                 (-1: all), and how many bytes all files together may have (-1: any number)
 *
 * A write is recorded before it is done, a sync after it is done together with where the log ended when it began. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 4096, WRITE = 1, TRUNCATE = 2, CREATE = 3, UNLINK = 4, SYNC = 5, SYNC_FOLDER = 6 };

struct head {
  uint32_t kind, name_length;
  uint64_t at, length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static int record = -1;
static volatile int64_t *faults;
/* By descriptor: the file's name within the root; "" is the root itself. */
static char *names[FILES];

__attribute__((constructor)) static void begin(void) {
  const char *folder = getenv("RECORD_ROOT"), *log = getenv("RECORD_LOG"), *control = getenv("RECORD_FAULTS");
  if (!folder) return;
  snprintf(root, sizeof root, "%s", folder);
  if (log) record = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (control) {
    int fd = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
    faults = map == MAP_FAILED ? NULL : map;
    syscall(SYS_close, fd);
  }
}

/* The name within the root, or NULL when it is not ours. */
static const char *ours(const char *path) {
  size_t length = strlen(root);
  if (!length || !path || strncmp(path, root, length)) return NULL;
  if (!path[length]) return path + length;
  if (path[length] != '/' || strchr(path + length + 1, '/')) return NULL;
  const char *name = path + length + 1;
  size_t end = strlen(name);
  if (end > 4 && !strcmp(name + end - 4, "-shm")) return NULL; /* rebuilt at every start */
  return name;
}

/* Only the database and its logs are written down. */
static int is_recorded(const char *name) { return record >= 0 && name && !strncmp(name, "interline.db", 12); }

static void put(uint32_t kind, const char *name, uint64_t at, const void *bytes, uint64_t length) {
  struct head head = {kind, strlen(name), at, length};
  size_t payload = kind == WRITE ? length : 0, total = sizeof head + head.name_length + payload;
  char *line = malloc(total);
  memcpy(line, &head, sizeof head);
  memcpy(line + sizeof head, name, head.name_length);
  if (payload) memcpy(line + sizeof head + head.name_length, bytes, payload);
  for (size_t done = 0; done < total;) {
    long n = syscall(SYS_write, record, line + done, total - done);
    if (n < 0 && errno != EINTR) abort();
    if (n > 0) done += n;
  }
  free(line);
}

static const char *name_of(int fd) { return fd >= 0 && fd < FILES ? names[fd] : NULL; }

static int opened(int fd, const char *path, int existed) {
  const char *name = ours(path);
  if (fd < 0 || fd >= FILES) return fd;
  pthread_mutex_lock(&lock);
  free(names[fd]);
  names[fd] = name ? strdup(name) : NULL;
  if (is_recorded(name) && !existed) put(CREATE, name, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return fd;
}

static int open_any(int folder, const char *path, int flags, mode_t mode) {
  struct stat facts;
  int existed = !ours(path) || syscall(SYS_newfstatat, folder, path, &facts, 0) == 0;
  return opened(syscall(SYS_openat, folder, path, flags, mode), path, existed);
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { \
    va_list more; \
    va_start(more, flags); \
    mode = va_arg(more, int); \
    va_end(more); \
  }

int open(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return open_any(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) {
  MODE(flags) return open_any(folder, path, flags | O_LARGEFILE, mode);
}

int close(int fd) {
  pthread_mutex_lock(&lock);
  if (fd >= 0 && fd < FILES) {
    free(names[fd]);
    names[fd] = NULL;
  }
  pthread_mutex_unlock(&lock);
  return syscall(SYS_close, fd);
}

/* How many of the bytes still fit; what is there already may be written over. */
static ssize_t room(int fd, uint64_t at, size_t length) {
  if (!faults || faults[1] < 0) return length;
  struct stat facts;
  int64_t used = 0, end = 0;
  DIR *folder = opendir(root);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    char path[PATH_MAX + 256];
    snprintf(path, sizeof path, "%s/%s", root, entry->d_name);
    if (!lstat(path, &facts) && S_ISREG(facts.st_mode)) used += facts.st_size;
  }
  if (folder) closedir(folder);
  if (!fstat(fd, &facts)) end = facts.st_size;
  int64_t left = faults[1] - used, fits = end + (left > 0 ? left : 0) - (int64_t)at;
  return fits <= 0 ? 0 : fits < (int64_t)length ? fits : (ssize_t)length;
}

static ssize_t write_any(int fd, const void *bytes, size_t length, off_t at, int moves) {
  const char *name = name_of(fd);
  if (!name || !*name) {
    return moves ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, at);
  }
  if (moves) {
    struct stat facts;
    int appends = syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND;
    at = appends && !fstat(fd, &facts) ? facts.st_size : lseek(fd, 0, SEEK_CUR);
  }
  size_t fits = room(fd, at, length);
  if (!fits && length) return errno = ENOSPC, -1;
  pthread_mutex_lock(&lock);
  if (is_recorded(name)) put(WRITE, name, at, bytes, fits);
  ssize_t done = moves ? syscall(SYS_write, fd, bytes, fits) : syscall(SYS_pwrite64, fd, bytes, fits, at);
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

ssize_t write(int fd, const void *bytes, size_t length) { return write_any(fd, bytes, length, 0, 1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return write_any(fd, bytes, length, at, 0); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return write_any(fd, bytes, length, at, 0); }

static int truncate_any(int fd, off_t length) {
  pthread_mutex_lock(&lock);
  if (is_recorded(name_of(fd))) put(TRUNCATE, name_of(fd), length, NULL, 0);
  int done = syscall(SYS_ftruncate, fd, length), error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

int ftruncate(int fd, off_t length) { return truncate_any(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncate_any(fd, length); }

/* Allocated room counts for the one who asks, but nothing is told of it: it holds no bytes. */
int fallocate(int fd, int mode, off_t at, off_t length) {
  if (name_of(fd)) return errno = EOPNOTSUPP, -1;
  return syscall(SYS_fallocate, fd, mode, at, length);
}
int posix_fallocate(int fd, off_t at, off_t length) {
  if (name_of(fd)) return EOPNOTSUPP;
  return syscall(SYS_fallocate, fd, 0, at, length) ? errno : 0;
}

static int sync_any(int fd, long call) {
  static int64_t done_syncs;
  const char *name = name_of(fd);
  if (!name) return syscall(call, fd);
  pthread_mutex_lock(&lock);
  uint64_t began = record >= 0 ? syscall(SYS_lseek, record, 0, SEEK_END) : 0;
  int fails = faults && faults[0] >= 0 && done_syncs >= faults[0];
  done_syncs += faults && faults[0] >= 0;
  pthread_mutex_unlock(&lock);
  if (fails) return errno = EIO, -1;
  if (syscall(call, fd)) return -1;
  pthread_mutex_lock(&lock);
  if (record >= 0 && !*name) put(SYNC_FOLDER, "", began, NULL, 0);
  if (is_recorded(name)) put(SYNC, name, began, NULL, 0);
  pthread_mutex_unlock(&lock);
  return 0;
}

int fsync(int fd) { return sync_any(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_any(fd, SYS_fdatasync); }

int unlink(const char *path) {
  const char *name = ours(path);
  pthread_mutex_lock(&lock);
  int done = syscall(SYS_unlinkat, AT_FDCWD, path, 0), error = errno;
  if (!done && is_recorded(name)) put(UNLINK, name, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}
