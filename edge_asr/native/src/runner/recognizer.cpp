#include "recognizer.h"

#include "trouble.h"

namespace edge_asr::runner {
namespace {

template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
  edge_asr_error error;
  if (function(arguments..., &error) != EDGE_ASR_OK) throw Trouble(error.message);
}

}  // namespace

void set_threads(const Options& options) {
  call(edge_asr_set_threads, options.threads, options.cpus.data(), options.cpus.size());
}

Model::Model(const std::string& path) {
  edge_asr_model* model = nullptr;
  call(edge_asr_model_open, path.c_str(), &model);
  model_.reset(model);
  edge_asr_model_metadata(model, &metadata_);
}

Stream::Stream(const Model& model, float threshold) {
  edge_asr_stream* stream = nullptr;
  call(edge_asr_stream_open, model.get(), threshold, &stream);
  stream_.reset(stream);
}

const edge_asr_update& Stream::accept(const float* pcm, std::size_t samples) {
  call(edge_asr_stream_accept, stream_.get(), pcm, samples, &update_);
  return update_;
}

const edge_asr_update& Stream::finish() {
  call(edge_asr_stream_finish, stream_.get(), &update_);
  return update_;
}

void Stream::restart() { call(edge_asr_stream_restart, stream_.get()); }

}  // namespace edge_asr::runner
