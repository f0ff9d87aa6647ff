import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "org.edge_asr.demo"
    compileSdk = 36

    defaultConfig {
        applicationId = "org.edge_asr.demo"
        minSdk = 26
        targetSdk = 36
        versionCode = 1
        versionName = "1.0"
        ndk {
            abiFilters += listOf("arm64-v8a", "x86_64") // all that executorch-android has
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    androidResources {
        noCompress += "pte" // int8 weights hardly compress, and the copy on first start is quicker
    }
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_1_8
    }
}

dependencies {
    implementation(project(":core"))
    implementation(libs.executorch.android)
}

/** Texts of licences, from the repository's root: those that a bundle for a board carries, too. The APK's NOTICE.txt names them. */
val licenceTexts = listOf(
    "LICENSE",
    "edge_asr/licences",
    "edge_asr/shipped/AN4-LICENSE.txt",
    "edge_asr/shipped/an4.md",
    "edge_asr/shipped/an4-small.md",
)

/** Puts the model and the recording that the build was given into the APK's assets, and the texts of licences. */
abstract class CopySpeechAssets : DefaultTask() {
    /** A `.pte` made by `edge-asr export`. */
    @get:Input
    @get:Optional
    abstract val model: Property<String>

    /** A 16 kHz mono WAV for the benchmark that is started by hand. */
    @get:Input
    @get:Optional
    abstract val recording: Property<String>

    /** Files and folders of texts, which land side by side in the assets' `licences`. */
    @get:InputFiles
    @get:PathSensitive(PathSensitivity.RELATIVE)
    abstract val licences: ConfigurableFileCollection

    // contents, so that another export under the same name is noticed
    @get:InputFiles
    @get:PathSensitive(PathSensitivity.NONE)
    val contents: List<File>
        get() = listOfNotNull(model.orNull, recording.orNull).map(::File).filter(File::isFile)

    @get:OutputDirectory
    abstract val assets: DirectoryProperty

    @TaskAction
    fun copy() {
        val folder = assets.get().asFile
        folder.deleteRecursively()
        folder.mkdirs()
        val path = model.orNull
            ?: throw GradleException("no model: export one (edge-asr export -o model.pte) and build with -PedgeAsr.model=/path/to/model.pte")
        put(path, "edgeAsr.model", "model.pte", folder)
        recording.orNull?.let { put(it, "edgeAsr.recording", "recording.wav", folder) }
        for (text in licences.asFileTree.matching { include("LICENSE", "*.txt", "*.md") }) text.copyTo(File(folder, "licences/${text.name}"))
    }

    private fun put(path: String, property: String, name: String, folder: File) {
        val source = File(path)
        if (!source.isAbsolute) throw GradleException("-P$property=$path: give the whole path, from the root folder on")
        if (!source.isFile) throw GradleException("-P$property=$path: no such file")
        source.copyTo(File(folder, name))
    }
}

androidComponents {
    onVariants { variant ->
        val copy = tasks.register<CopySpeechAssets>("copy${variant.name.replaceFirstChar(Char::uppercase)}SpeechAssets") {
            model = providers.gradleProperty("edgeAsr.model")
            recording = providers.gradleProperty("edgeAsr.recording")
            licences.from(licenceTexts.map { rootDir.resolveSibling(it) })
        }
        variant.sources.assets?.addGeneratedSourceDirectory(copy, CopySpeechAssets::assets)
    }
}
