// The C ABI, with owners and exceptions.
#pragma once

#include <memory>
#include <string>

#include "edge_asr.h"
#include "options.h"

namespace edge_asr::runner {

void set_threads(const Options& options);  // throws Trouble

class Model {
 public:
  explicit Model(const std::string& path);  // throws Trouble

  const edge_asr_metadata& metadata() const { return metadata_; }
  std::int64_t planned_bytes() const { return edge_asr_model_planned_bytes(model_.get()); }
  const edge_asr_model* get() const { return model_.get(); }

 private:
  struct Close {
    void operator()(edge_asr_model* model) const { edge_asr_model_close(model); }
  };
  std::unique_ptr<edge_asr_model, Close> model_;
  edge_asr_metadata metadata_{};
};

class Stream {
 public:
  Stream(const Model& model, float threshold);  // throws Trouble

  // The answers live until the next call. Throw Trouble.
  const edge_asr_update& accept(const float* pcm, std::size_t samples);
  const edge_asr_update& finish();
  void restart();

 private:
  struct Close {
    void operator()(edge_asr_stream* stream) const { edge_asr_stream_close(stream); }
  };
  std::unique_ptr<edge_asr_stream, Close> stream_;
  edge_asr_update update_{};
};

}  // namespace edge_asr::runner
