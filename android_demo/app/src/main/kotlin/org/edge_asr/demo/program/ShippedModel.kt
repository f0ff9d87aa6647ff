package org.edge_asr.demo.program

import android.content.Context
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import org.edge_asr.core.program.ModelFile
import org.edge_asr.core.program.ProgramException
import org.edge_asr.demo.R

/** The model that the build put into the APK. */
object ShippedModel {
    private const val ASSET = "model.pte"
    private const val FOLDER = "model"

    /**
     * The model as a file, as the runtime maps files and not assets into memory; copied at the first start of each version of the
     * app. Throws [ProgramException] where there is none, it is damaged, or there is no room for it.
     */
    fun file(context: Context): File {
        val folder = File(context.filesDir, FOLDER)
        val installed = context.packageManager.getPackageInfo(context.packageName, 0).lastUpdateTime
        val model = File(folder, "$installed.pte")
        if (isWhole(model)) return model
        folder.deleteRecursively()
        folder.mkdirs()
        val unfinished = File(folder, "unfinished")
        try {
            context.assets.open(ASSET).use { asset -> unfinished.outputStream().use { ModelFile.copy(asset, it) } }
            if (!unfinished.renameTo(model)) throw IOException(unfinished.path)
        } catch (error: FileNotFoundException) {
            throw ProgramException(context.getString(R.string.reason_no_asset), error)
        } catch (error: IOException) {
            throw ProgramException(context.getString(R.string.reason_no_space, error.message), error)
        }
        return model
    }

    private fun isWhole(model: File): Boolean =
        try {
            ModelFile.check(model)
            true
        } catch (_: ProgramException) { // not there yet, or its copy was damaged: the asset is still as it was
            false
        }
}
