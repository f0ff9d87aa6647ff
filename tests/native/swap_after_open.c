/* Preloaded into a program: once it has opened the file $SWAPPED, the file $BY takes that name. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int opened(const char *path, int descriptor) {
  const char *swapped = getenv("SWAPPED"), *by = getenv("BY");
  if (descriptor >= 0 && strcmp(path, swapped) == 0) rename(by, swapped);
  return descriptor;
}

#define OPEN(name)                                                                    \
  int name(const char *path, int flags, ...) {                                        \
    va_list rest;                                                                     \
    va_start(rest, flags);                                                            \
    const int mode = va_arg(rest, int);                                               \
    va_end(rest);                                                                     \
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
    return opened(path, real(path, flags, mode));                                     \
  }

OPEN(open)
OPEN(open64)
