// The model loaded for running: the state of one stream.
#pragma once

#include <cstdint>
#include <memory>

#include "edge_asr.h"
#include "loaded_method.h"
#include "model.h"
#include "threads.h"

namespace edge_asr {

// Use it from one thread at a time. Each has its own state, its own packed weights and its own scratch memory.
class Program {
 public:
  // Ready for a new stream. Throws Failure where the runtime refuses the file.
  static std::unique_ptr<Program> load(const std::shared_ptr<const Model>& model);

  explicit Program(std::shared_ptr<const Model> model);  // use `load`

  // pcm [chunk_samples]; frames: real ones among them. Throws Failure; the result lives until the next call.
  edge_asr_step step(const float* pcm, std::int32_t frames, float threshold, bool flush);

  // The next step is the first of a new stream, as the first after loading is.
  void reset() { starts_ = true; }

  const Model& model() const { return *model_; }

 private:
  PoolUse pool_use_;
  std::shared_ptr<const Model> model_;  // the method points into it
  Memory memory_;
  WeightCacheTurn weight_cache_;
  LoadedMethod step_;
  bool starts_ = true;  // the next step is the first of a stream
};

// EDGE_ASR_DEFAULT_THRESHOLD becomes the model's own. Throws Failure where it is that neither, nor from 0 to 1.
float checked_threshold(float threshold, const Metadata& metadata);

}  // namespace edge_asr
