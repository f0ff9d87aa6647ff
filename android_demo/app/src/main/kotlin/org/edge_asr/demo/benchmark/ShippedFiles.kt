package org.edge_asr.demo.benchmark

import android.content.Context
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import org.edge_asr.core.benchmark.BenchmarkException
import org.edge_asr.core.benchmark.OwnFiles
import org.edge_asr.demo.R
import org.edge_asr.demo.program.ShippedModel

/** What the build put into the APK, for a benchmark that is started by hand. */
class ShippedFiles(private val context: Context) : OwnFiles {
    override fun model(): File = ShippedModel.file(context)

    override fun recording(): File {
        val copied = File(context.cacheDir, RECORDING)
        try {
            context.assets.open(RECORDING).use { asset -> copied.outputStream().use { asset.copyTo(it) } }
        } catch (error: FileNotFoundException) {
            throw BenchmarkException(context.getString(R.string.benchmark_no_recording), error)
        } catch (error: IOException) {
            throw BenchmarkException(context.getString(R.string.benchmark_no_room, error.message), error)
        }
        return copied
    }

    private companion object {
        const val RECORDING = "recording.wav"
    }
}
