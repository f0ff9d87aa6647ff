// A regular file, open for reading: size and bytes come through the one descriptor, whatever its name stands for later.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace edge_asr {

class OpenFile {
 public:
  // Throws Failure where `path` is no regular file, empty, or cannot be read.
  explicit OpenFile(const std::string& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  std::uint64_t size() const { return static_cast<std::uint64_t>(about_.st_size); }  // when it was opened

  // Fewer bytes than asked for only at the end of the file. Throws Failure.
  std::size_t read(std::uint64_t offset, unsigned char* bytes, std::size_t count) const;

  // Whether somebody has written into it, or cut it, since it was opened.
  bool has_changed() const;

 private:
  std::string path_;
  int descriptor_;
  struct stat about_ {};
};

}  // namespace edge_asr
