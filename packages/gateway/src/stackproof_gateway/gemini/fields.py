"""The fields of Gemini's requests, and a request read by them as the provider reads it.

Names may be in camelCase or snake_case, as proto3's JSON allows; unknown names and values of
another type are refused with the texts that users of the API report.

Source: Gemini API reference, "GenerateContent", "Embeddings", "Counting tokens" and "Schema";
`google.genai.types` of google-genai 3.6.
"""

from __future__ import annotations

import json
import re
from typing import Any

from stackproof_gateway.errors import ProviderError

LARGEST = 2**31 - 1
"""The largest whole number that a field can have."""

_PACKAGE = "type.googleapis.com/google.ai.generativelanguage.v1beta."
_TYPES = {"text": "TYPE_STRING", "bool": "TYPE_BOOL", "int": "TYPE_INT32", "float": "TYPE_FLOAT",
          "bytes": "TYPE_BYTES"}  # fmt: skip
_PYTHON = {"text": str, "bytes": str, "bool": bool}
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_BAR = re.compile(r"_([a-z0-9])")

ENUMS = {
    "FunctionCallingConfig.Mode": "MODE_UNSPECIFIED AUTO ANY NONE VALIDATED",
    "Type": "TYPE_UNSPECIFIED STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT NULL",
    "ThinkingConfig.ThinkingLevel": "THINKING_LEVEL_UNSPECIFIED MINIMAL LOW MEDIUM HIGH",
    "TaskType": "TASK_TYPE_UNSPECIFIED RETRIEVAL_QUERY RETRIEVAL_DOCUMENT SEMANTIC_SIMILARITY "
                "CLASSIFICATION CLUSTERING QUESTION_ANSWERING FACT_VERIFICATION "
                "CODE_RETRIEVAL_QUERY",
}  # fmt: skip
"""Words of enumerations that the answer depends on."""

MESSAGES = {
    "GenerateContentRequest": "model:text contents:*Content systemInstruction:Content tools:*Tool "
                              "toolConfig:ToolConfig safetySettings:any cachedContent:text "
                              "generationConfig:GenerationConfig serviceTier:any store:bool "
                              "labels:any",
    "CountTokensRequest": "model:text contents:*Content "
                          "generateContentRequest:GenerateContentRequest",
    "EmbedContentRequest": "model:text content:Content taskType:TaskType title:text "
                           "outputDimensionality:int embedContentConfig:any",
    "BatchEmbedContentsRequest": "model:text requests:*EmbedContentRequest",
    "CreateFileRequest": "file:File",
    "File": "name:text displayName:text mimeType:text sizeBytes:any source:any uri:any",
    "Content": "role:text parts:*Part",
    "Part": "text:text inlineData:Blob fileData:FileData functionCall:FunctionCall "
            "functionResponse:FunctionResponse executableCode:any codeExecutionResult:any "
            "toolCall:any toolResponse:any thought:bool thoughtSignature:bytes partMetadata:any "
            "videoMetadata:any mediaResolution:any audioTranscription:any mediaProcessing:any "
            "speechMetadata:any documentMetadata:any spreadsheetMetadata:any audioMetadata:any",
    "Blob": "mimeType:text data:bytes displayName:text",
    "FileData": "mimeType:text fileUri:text displayName:text",
    "FunctionCall": "id:text name:text args:object partialArgs:any willContinue:bool",
    "FunctionResponse": "id:text name:text response:object parts:any willContinue:bool "
                        "scheduling:any",
    "Tool": "functionDeclarations:*FunctionDeclaration googleSearch:any googleSearchRetrieval:any "
            "codeExecution:any urlContext:any fileSearch:any computerUse:any googleMaps:any "
            "mcpServers:any",
    "FunctionDeclaration": "name:text description:text behavior:any parameters:Schema "
                           "parametersJsonSchema:any response:Schema responseJsonSchema:any",
    "ToolConfig": "functionCallingConfig:FunctionCallingConfig retrievalConfig:any "
                  "includeServerSideToolInvocations:bool",
    "FunctionCallingConfig": "mode:FunctionCallingConfig.Mode allowedFunctionNames:*text "
                             "streamFunctionCallArguments:bool",
    "GenerationConfig": "stopSequences:*text responseMimeType:text responseModalities:*text "
                        "candidateCount:int maxOutputTokens:int temperature:float topP:float "
                        "topK:float seed:int presencePenalty:float frequencyPenalty:float "
                        "responseLogprobs:bool logprobs:int thinkingConfig:ThinkingConfig "
                        "responseSchema:Schema responseJsonSchema:any _responseJsonSchema:any "
                        "speechConfig:any imageConfig:any mediaResolution:any responseFormat:any "
                        "enableEnhancedCivicAnswers:bool audioTranscriptionConfig:any "
                        "translationConfig:any",
    "ThinkingConfig": "includeThoughts:bool thinkingBudget:int "
                      "thinkingLevel:ThinkingConfig.ThinkingLevel",
    "Schema": "type:Type format:text title:text description:text nullable:bool enum:*text "
              "maxItems:int minItems:int properties:+Schema required:*text minProperties:int "
              "maxProperties:int minLength:int maxLength:int pattern:text example:any "
              "anyOf:*Schema propertyOrdering:*text default:any items:Schema minimum:float "
              "maximum:float",
}  # fmt: skip
"""Fields by message: `*` before a type stands for a list, `+` for an object of such values."""

_SPECS = {
    name: dict(field.split(":") for field in fields.split()) for name, fields in MESSAGES.items()
}


def snake(name: str) -> str:
    """The name of a field as errors have it."""
    return _HUMP.sub(lambda found: "_" + found[1].lower(), name)


def read(message: str, body: dict[str, Any]) -> dict[str, Any]:
    """A request with its fields in camelCase.

    Args:
        message: Which message it is.
        body: The request.

    Raises:
        ProviderError: If a field is unknown, or has a value of another type.
    """
    reader = _Reader()
    found: dict[str, Any] = reader.message(message, body, "")
    if reader.violations:
        raise refused(*reader.violations)
    return found


def refused(*violations: tuple[str, str]) -> ProviderError:
    """A request that can't be read.

    Args:
        *violations: Where, and what the matter is.
    """
    return ProviderError(
        400,
        "\n".join(text for _, text in violations),
        param=violations[0][0] or None,
        rpc=[{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [
                {**({"field": place} if place else {}), "description": text}
                for place, text in violations
            ],
        }],
    )  # fmt: skip


class _Reader:
    """Reads a value; what is wrong with it is collected."""

    def __init__(self) -> None:
        self.violations: list[tuple[str, str]] = []

    def message(self, name: str, value: Any, place: str) -> Any:
        """A message whose fields are known."""
        if not isinstance(value, dict):
            return self._wrong(place, _PACKAGE + name, value)
        spec, found = _SPECS[name], {}
        for key, item in value.items():
            known = key if key in spec else _BAR.sub(lambda part: part[1].upper(), key)
            if known not in spec:
                self._unknown(key, place)
            elif item is not None:
                inner = f"{place}.{snake(known)}" if place else snake(known)
                found[known] = self._field(spec[known], item, inner)
        return found

    def _field(self, kind: str, value: Any, place: str) -> Any:
        if kind.startswith("*"):
            several = value if isinstance(value, list) else [value]
            if not isinstance(value, list | dict):
                return self._value(kind[1:], value, place)
            return [self._value(kind[1:], item, f"{place}[{at}]")
                    for at, item in enumerate(several)]  # fmt: skip
        if isinstance(value, list) and kind != "any":
            front, _, last = place.rpartition(".")
            text = "Proto field is not repeating, cannot start list."
            self._unknown(last, front, text)
            return None
        if not kind.startswith("+"):
            return self._value(kind, value, place)
        if not isinstance(value, dict):
            return self._wrong(place, _PACKAGE + kind[1:], value)
        return {
            key: self._value(kind[1:], item, f"{place}[{at}].value")
            for at, (key, item) in enumerate(value.items())
        }

    def _value(self, kind: str, value: Any, place: str) -> Any:
        if kind == "any":
            return value
        if kind == "object":
            fits = isinstance(value, dict)
            struct = "type.googleapis.com/google.protobuf.Struct"
            return value if fits else self._wrong(place, struct, value)
        if kind in _SPECS:
            return self.message(kind, value, place)
        if kind in ENUMS:
            word = value.upper() if isinstance(value, str) else value
            fits = isinstance(word, str) and word in ENUMS[kind].split()
            return word if fits else self._wrong(place, _PACKAGE + kind, value)
        if kind in _PYTHON:
            fits = isinstance(value, _PYTHON[kind])
            return value if fits else self._wrong(place, _TYPES[kind], value)
        return self._number(kind, value, place)

    def _number(self, kind: str, value: Any, place: str) -> Any:
        """A number, which proto3's JSON may also have as a text."""
        number = value
        if isinstance(value, str):
            try:
                number = float(value)
            except ValueError:
                number = None
        fits = isinstance(number, int | float) and not isinstance(number, bool)
        if fits and kind == "int":
            fits = abs(number) <= LARGEST and number == int(number)
        if not fits:
            return self._wrong(place, _TYPES[kind], value)
        return int(number) if kind == "int" else number

    def _wrong(self, place: str, kind: str, value: Any) -> None:
        shown = json.dumps(value)[:200]
        self.violations.append((place, f"Invalid value at '{place}' ({kind}), {shown}"))

    def _unknown(self, key: str, place: str, why: str = "Cannot find field.") -> None:
        where = f" at '{place}'" if place else ""
        text = f'Invalid JSON payload received. Unknown name "{key[:200]}"{where}: {why}'
        self.violations.append((place, text))
